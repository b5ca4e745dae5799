import Dispatch
import Synchronization

/// Does the same for each number below `count` on several threads, this one among them: the results in order.
///
/// A thread does `batch` neighbours at a time: they are mostly of one directory, and a lock has its price. Of several
/// failures, that of the smallest number is thrown.
func inParallel<Value: Sendable>(
    _ count: Int,
    threads: Int,
    batch: Int = 32,
    _ body: @escaping @Sendable (Int) throws -> Value
) throws -> [Value] {
    let work = SharedWork(count, batch, body)
    let helpers = DispatchGroup()
    for _ in 0..<max(0, min(threads, count) - 1) {
        helpers.enter()
        let code = startThread {
            work.run()
            helpers.leave()
        }
        // Without another thread, this one does all of it.
        if code != 0 { helpers.leave() }
    }
    work.run()
    helpers.wait()
    return try work.results()
}

private final class SharedWork<Value: Sendable>: Sendable {
    private struct Done {
        var values: [Value?]
        var failure: (number: Int, error: any Error)?
    }

    private let count: Int
    private let batch: Int
    private let body: @Sendable (Int) throws -> Value
    private let next = Atomic<Int>(0)
    private let done: Mutex<Done>

    init(_ count: Int, _ batch: Int, _ body: @escaping @Sendable (Int) throws -> Value) {
        self.count = count
        self.batch = batch
        self.body = body
        done = Mutex(Done(values: Array(repeating: nil, count: count)))
    }

    func run() {
        while true {
            let start = next.add(batch, ordering: .relaxed).oldValue
            guard start < count else { return }
            var values: [Value] = []
            do {
                for number in start..<min(start + batch, count) { values.append(try body(number)) }
            } catch {
                next.store(count, ordering: .relaxed)
                let number = start + values.count
                done.withLock { done in
                    if done.failure.map({ number < $0.number }) ?? true { done.failure = (number, error) }
                }
                return
            }
            done.withLock { done in
                for (offset, value) in values.enumerated() { done.values[start + offset] = value }
            }
        }
    }

    func results() throws -> [Value] {
        try done.withLock { done in
            if let failure = done.failure { throw failure.error }
            return done.values.compactMap(\.self)
        }
    }
}
