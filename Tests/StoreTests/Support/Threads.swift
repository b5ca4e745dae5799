import Glibc
import Synchronization

/// Work on a thread of its own: what blocks must not take the threads that tests share.
final class Background<Value: Sendable>: Sendable {
    private let body: @Sendable () throws -> Value
    private let result = Mutex<Result<Value, any Error>?>(nil)
    private let thread = Mutex(pthread_t())

    init(_ body: @escaping @Sendable () throws -> Value) {
        self.body = body
        let start: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
            guard let argument else { return nil }
            Unmanaged<BackgroundWork>.fromOpaque(argument).takeRetainedValue().run()
            return nil
        }
        let work = BackgroundWork { [self] in
            let found = Result { try self.body() }
            result.withLock { $0 = found }
        }
        thread.withLock { _ = pthread_create(&$0, nil, start, Unmanaged.passRetained(work).toOpaque()) }
    }

    /// Waits for the work's end.
    func value() throws -> Value {
        pthread_join(thread.withLock { $0 }, nil)
        guard let result = result.withLock({ $0 }) else { throw Unfinished() }
        return try result.get()
    }

    struct Unfinished: Error {}
}

private final class BackgroundWork: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// Runs `body` on several threads at once and gives what came of each.
@discardableResult
func onThreads<Value: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Value) throws -> [Value] {
    let threads = (0..<count).map { number in Background { try body(number) } }
    let results = threads.map { thread in Result { try thread.value() } }
    return try results.map { try $0.get() }
}
