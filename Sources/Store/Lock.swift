import Glibc
import OCI

/// A lock on a file of the host, held as long as the value lives and gone with its process, however that ends.
public struct FileLock: ~Copyable {
    private let descriptor: CInt

    /// Waits until the lock on `path` is had.
    /// - Throws: ``HostFileError`` where the file cannot be opened or locked.
    public init(waitingFor path: String) throws(HostFileError) {
        descriptor = try Self.open(path)
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else {
                let code = errno
                close(descriptor)
                throw HostFileError("lock", path, code: code)
            }
        }
    }

    /// Takes the lock on `path` if nobody has it; `nil` otherwise.
    /// - Throws: ``HostFileError`` where the file cannot be opened.
    public init?(ifFree path: String) throws(HostFileError) {
        descriptor = try Self.open(path)
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            return nil
        }
    }

    deinit { close(descriptor) }

    private static func open(_ path: String) throws(HostFileError) -> CInt {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw HostFileError("open the lock", path, code: errno) }
        return descriptor
    }
}
