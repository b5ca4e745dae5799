import Glibc

/// Runs blocking work on a thread of its own, so that it holds up none of the few threads that tasks share.
///
/// A step's sandbox also needs this: its process is killed when the thread that made it ends.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        let code = startThread { continuation.resume(with: Result(catching: body)) }
        if code != 0 { continuation.resume(throwing: ThreadError(code: code)) }
    }
}

/// Starts a thread that nobody waits for: 0, or the system's error number.
func startThread(_ body: @escaping @Sendable () -> Void) -> CInt {
    let work = ThreadWork(body)
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    // Deep directory trees are walked by recursion.
    pthread_attr_setstacksize(&attributes, 16 << 20)
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(work)
    let code = pthread_create(
        &thread,
        &attributes,
        { argument in
            guard let argument else { return nil }
            Unmanaged<ThreadWork>.fromOpaque(argument).takeRetainedValue().body()
            return nil
        },
        argument.toOpaque()
    )
    pthread_attr_destroy(&attributes)
    if code != 0 { argument.release() }
    return code
}

private final class ThreadWork: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// The system gave no thread.
struct ThreadError: Error, CustomStringConvertible {
    let code: Int32

    var description: String {
        "cannot start a thread: \(String(cString: strerror(code))); the limit on processes (ulimit -u) may be reached"
    }
}
