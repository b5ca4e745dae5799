import Glibc

/// A file without a name, gone when the last reference is.
final class TemporaryFile: Sendable {
    let descriptor: CInt

    init() throws {
        var name = Array("/tmp/swbuild-test-XXXXXX".utf8CString)
        descriptor = mkstemp(&name)
        guard descriptor >= 0 else { throw ServerError(errno: errno) }
        unlink(name)
    }

    deinit { close(descriptor) }

    /// All that was written to it.
    func content() throws -> [UInt8] {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw ServerError(errno: errno) }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        guard pread(descriptor, &bytes, bytes.count, 0) == bytes.count else { throw ServerError(errno: errno) }
        return bytes
    }
}
