import Exec
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
    // Deep directory trees are walked by recursion.
    DetachedThread.start(stackSize: 16 << 20, body)
}

/// The system gave no thread.
struct ThreadError: Error, CustomStringConvertible {
    let code: Int32

    var description: String {
        "cannot start a thread: \(String(cString: strerror(code))); the limit on processes (ulimit -u) may be reached"
    }
}
