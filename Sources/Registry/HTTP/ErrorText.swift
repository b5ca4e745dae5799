import Glibc

/// The system's sentence for `errno`, safe to ask for on any thread.
func errorText(_ errno: CInt) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
        guard let start = buffer.baseAddress, strerror_r(errno, start, buffer.count) == 0 else {
            return "error \(errno)"
        }
        return String(cString: start)
    }
}
