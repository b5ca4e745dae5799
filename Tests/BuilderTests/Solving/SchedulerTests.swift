import Testing

@testable import Builder

@Suite struct SchedulerTests {
    /// A small generator with a fixed sequence, so that a failure can be repeated.
    struct Dice: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return value ^ (value >> 31)
        }
    }

    /// A random graph: every input is an earlier node, and may be named twice.
    private func graph(_ dice: inout Dice) -> [[NodeID]] {
        (0..<Int.random(in: 1...24, using: &dice)).map { index in
            guard index > 0 else { return [] }
            return (0..<Int.random(in: 0...4, using: &dice)).map { _ in
                NodeID(index: Int.random(in: 0..<index, using: &dice))
            }
        }
    }

    /// The slow way to find what a target needs.
    private func needed(_ inputs: [[NodeID]], _ target: Int) -> Set<Int> {
        inputs[target].reduce(into: [target]) { $0.formUnion(needed(inputs, $1.index)) }
    }

    @Test func runsWhatIsNeededOnceInOrderWithinTheLimit() {
        var dice = Dice(state: 1)
        for round in 0..<3000 {
            let inputs = graph(&dice)
            let target = Int.random(in: inputs.indices, using: &dice)
            let jobs = Int.random(in: 1...5, using: &dice)
            var scheduler = Scheduler(inputs: inputs, target: NodeID(index: target), jobs: jobs)
            var running: [NodeID] = []
            var done: Set<NodeID> = []
            while true {
                let next = scheduler.next()
                running += next
                guard running.count <= jobs, !running.contains(where: done.contains) else {
                    Issue.record("round \(round): \(running) after \(done)")
                    return
                }
                for node in next where !inputs[node.index].allSatisfy(done.contains) {
                    Issue.record("round \(round): \(node) began before its inputs")
                }
                // As many as may: nothing that could run waits while a job is free.
                let ready = needed(inputs, target).filter { index in
                    let node = NodeID(index: index)
                    return !done.contains(node) && !running.contains(node) && inputs[index].allSatisfy(done.contains)
                }
                #expect(ready.isEmpty || running.count == jobs)
                guard !running.isEmpty else { break }
                #expect(!scheduler.isFinished)
                let node = running.remove(at: Int.random(in: running.indices, using: &dice))
                done.insert(node)
                scheduler.finished(node)
            }
            #expect(scheduler.isFinished)
            #expect(Set(done.map(\.index)) == needed(inputs, target), "round \(round)")
        }
    }

    @Test func afterAFailureNothingBegins() {
        var dice = Dice(state: 2)
        for _ in 0..<2000 {
            let inputs = graph(&dice)
            var scheduler = Scheduler(inputs: inputs, target: NodeID(index: inputs.count - 1), jobs: 3)
            var running = scheduler.next()
            while !running.isEmpty, Int.random(in: 0..<3, using: &dice) > 0 {
                scheduler.finished(running.removeFirst())
                running += scheduler.next()
            }
            guard !running.isEmpty else { continue }
            scheduler.failed(running.removeFirst())
            #expect(scheduler.next() == [])
            for node in running {
                #expect(!scheduler.isFinished, "what runs is waited for")
                scheduler.finished(node)
                #expect(scheduler.next() == [])
            }
            #expect(scheduler.isFinished)
        }
    }

    @Test func whatIsReadyBeginsInTheFilesOrder() {
        let inputs = [[], [], [], [0, 1, 2]].map { $0.map { NodeID(index: $0) } }
        var scheduler = Scheduler(inputs: inputs, target: NodeID(index: 3), jobs: 2)
        #expect(scheduler.next().map(\.index) == [0, 1])
        scheduler.finished(NodeID(index: 1))
        #expect(scheduler.next().map(\.index) == [2])
    }

    @Test(arguments: [0, -1])
    func atLeastOneJobRuns(jobs: Int) {
        var scheduler = Scheduler(inputs: [[], []], target: NodeID(index: 1), jobs: jobs)
        #expect(scheduler.next().map(\.index) == [1])
    }
}
