/// What an archive put where, while it is read: later entries win, and what replaces a directory takes all that is
/// beneath it along.
struct PathLedger<Value> {
    private var values: [ContainerPath: (turn: Int, value: Value)] = [:]
    /// When all that was beneath a path went away, for those paths where that happened.
    private var cleared: [ContainerPath: Int] = [:]
    private var turn = 0

    /// What is at `path`.
    subscript(path: ContainerPath) -> Value? {
        guard let (turn, value) = values[path], isCurrent(path, turn) else { return nil }
        return value
    }

    /// Puts `value` at `path`, in the place of what may be there.
    mutating func put(_ value: Value, at path: ContainerPath) {
        turn += 1
        values[path] = (turn, value)
    }

    /// Forgets what is beneath `path`.
    mutating func clear(beneath path: ContainerPath) {
        turn += 1
        cleared[path] = turn
    }

    /// All that is left, in byte order of the paths.
    func sorted() -> [(path: ContainerPath, value: Value)] {
        values.filter { isCurrent($0.key, $0.value.turn) }
            .map { (path: $0.key, value: $0.value.value) }
            .sorted { $0.path < $1.path }
    }

    private func isCurrent(_ path: ContainerPath, _ turn: Int) -> Bool {
        if cleared.isEmpty { return true }
        for ancestor in path.ancestors {
            if let clearedAt = cleared[ancestor], clearedAt > turn { return false }
        }
        return true
    }
}
