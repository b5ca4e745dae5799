import Glibc
import Synchronization

/// A thread for blocking work that gives one result.
///
/// Neither Swift's cooperative pool, which must not block, nor a queue's pool, which grows and shrinks as it likes.
final class WorkerThread<Value: Sendable>: Sendable {
    private final class Work: Sendable {
        let body: @Sendable () -> Value
        let result = Mutex<Value?>(nil)
        init(_ body: @escaping @Sendable () -> Value) { self.body = body }
        func run() {
            let value = body()
            result.withLock { $0 = value }
        }
    }

    private let work: Work
    private let thread: Mutex<pthread_t?>

    /// Starts a thread that runs `body`.
    ///
    /// - Throws: ``LayerError`` when the system gives no thread.
    init(_ body: @escaping @Sendable () -> Value) throws(LayerError) {
        let work = Work(body)
        let argument = Unmanaged.passRetained(Runnable { work.run() })
        var thread = pthread_t()
        let result = pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Runnable>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            },
            argument.toOpaque()
        )
        guard result == 0 else {
            argument.release()
            throw LayerError(.resources(what: "threads"))
        }
        self.work = work
        self.thread = Mutex(thread)
    }

    /// Waits for the end of the thread: what its body returned.
    func join() -> Value? {
        thread.withLock { running in
            guard let thread = running else { return }
            pthread_join(thread, nil)
            running = nil
        }
        return work.result.withLock { $0 }
    }

    deinit {
        _ = join()
    }
}

/// What a new thread is given: `pthread_create` takes one pointer, and a generic class cannot be named in its callback.
private final class Runnable: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}
