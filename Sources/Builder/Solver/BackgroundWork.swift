import Dispatch
import Synchronization

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
