/// Decides which step may begin when: a pure state machine, driven by ``Solver``.
struct Scheduler: Sendable {
    private var waiting: [Int]
    private var dependents: [[NodeID]]
    /// Sorted, so that what is ready runs in the order of the file.
    private var ready: [NodeID] = []
    private var running = 0
    private var unfinished: Int
    private let jobs: Int
    private var hasFailed = false

    /// A schedule of the nodes that `target` needs, at most `jobs` at once.
    init(inputs: [[NodeID]], target: NodeID, jobs: Int) {
        var needed = [Bool](repeating: false, count: inputs.count)
        needed[target.index] = true
        // Inputs name earlier nodes only: one pass from the end finds all that is needed.
        for index in inputs.indices.reversed() where needed[index] {
            for input in inputs[index] { needed[input.index] = true }
        }
        waiting = [Int](repeating: 0, count: inputs.count)
        dependents = [[NodeID]](repeating: [], count: inputs.count)
        unfinished = 0
        for index in inputs.indices where needed[index] {
            unfinished += 1
            let distinct = Set(inputs[index])
            waiting[index] = distinct.count
            for input in distinct { dependents[input.index].append(NodeID(index: index)) }
            if distinct.isEmpty { ready.append(NodeID(index: index)) }
        }
        self.jobs = max(1, jobs)
    }

    /// Whether nothing runs and nothing will.
    var isFinished: Bool { running == 0 && (unfinished == 0 || hasFailed) }

    /// The nodes to begin now.
    mutating func next() -> [NodeID] {
        guard !hasFailed else { return [] }
        let count = min(ready.count, jobs - running)
        guard count > 0 else { return [] }
        let result = Array(ready.prefix(count))
        ready.removeFirst(count)
        running += count
        return result
    }

    /// Notes that a node is done.
    mutating func finished(_ node: NodeID) {
        running -= 1
        unfinished -= 1
        for dependent in dependents[node.index] {
            waiting[dependent.index] -= 1
            if waiting[dependent.index] == 0 { insert(dependent) }
        }
    }

    /// Notes that a node failed: nothing new begins.
    mutating func failed(_ node: NodeID) {
        running -= 1
        hasFailed = true
    }

    private mutating func insert(_ node: NodeID) {
        let position = ready.firstIndex { node < $0 } ?? ready.count
        ready.insert(node, at: position)
    }
}
