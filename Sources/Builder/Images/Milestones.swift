import LayerDiff

/// Which of several pieces of work have ended, for those who need the ones before theirs.
///
/// Unchecked because the compiler cannot see that all state is touched under the monitor.
final class Milestones: @unchecked Sendable {
    private let monitor = Monitor()
    /// Whether each ended well; `nil` where it has not ended.
    private var ends: [Bool?]

    init(count: Int) {
        ends = Array(repeating: nil, count: count)
    }

    /// Notes the end of one.
    func reach(_ position: Int, isGood: Bool) {
        monitor.lock()
        ends[position] = isGood
        monitor.broadcast()
        monitor.unlock()
    }

    /// Waits for the first `count`: whether all of them ended well.
    func wait(forFirst count: Int) -> Bool {
        monitor.lock()
        defer { monitor.unlock() }
        while ends[..<count].contains(where: { $0 == nil }) { monitor.wait() }
        return ends[..<count].allSatisfy { $0 == true }
    }
}
