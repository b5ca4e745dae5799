import Dispatch
import Synchronization

/// Does `count` pieces of blocking work in their order, up to `most` at a time, each on a thread; no further ones begin
/// after the first failure, which is thrown when all have ended.
func inParallel(_ count: Int, most: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
    let work = ParallelWork(count: count, body: body)
    let group = DispatchGroup()
    for _ in 1..<max(1, min(count, most)) {
        group.enter()
        let code = startThread {
            work.run()
            group.leave()
        }
        // With fewer threads it takes longer.
        if code != 0 { group.leave() }
    }
    work.run()
    group.wait()
    if let failure = work.failure { throw failure }
}

/// The pieces that are left, shared by the threads.
private final class ParallelWork: Sendable {
    private struct State {
        var next = 0
        var failure: (any Error)?
    }

    private let count: Int
    private let body: @Sendable (Int) throws -> Void
    private let state = Mutex(State())

    init(count: Int, body: @escaping @Sendable (Int) throws -> Void) {
        self.count = count
        self.body = body
    }

    var failure: (any Error)? { state.withLock { $0.failure } }

    func run() {
        while let position = take() {
            do {
                try body(position)
            } catch {
                state.withLock { $0.failure = $0.failure ?? error }
            }
        }
    }

    private func take() -> Int? {
        state.withLock { state in
            guard state.failure == nil, state.next < count else { return nil }
            state.next += 1
            return state.next - 1
        }
    }
}

/// Work on a thread of its own whose result is asked for later.
final class BackgroundWork<Value: Sendable>: Sendable {
    private let done = DispatchSemaphore(value: 0)
    private let outcome = Mutex<Result<Value, any Error>?>(nil)

    init(_ body: @escaping @Sendable () throws -> Value) {
        let code = startThread { [self] in finish(Result(catching: body)) }
        if code != 0 { finish(.failure(ThreadError(code: code))) }
    }

    private func finish(_ result: Result<Value, any Error>) {
        outcome.withLock { $0 = result }
        done.signal()
    }

    /// Waits for the end: what came of it; to be called once.
    func result() -> Result<Value, any Error>? {
        done.wait()
        return outcome.withLock { $0 }
    }
}
