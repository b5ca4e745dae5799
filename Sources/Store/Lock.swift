import Glibc
import OCI

/// A lock on a file of the host, held as long as the value lives and gone with its process, however that ends.
public final class FileLock: Sendable {
    private let descriptor: CInt

    private init(owning descriptor: CInt) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// Waits until the lock on `path` is had: alone, or with others who share it.
    /// - Throws: ``HostFileError`` where the file cannot be opened or locked.
    public static func wait(for path: String, shared: Bool = false) throws(HostFileError) -> FileLock {
        while true {
            let lock = FileLock(owning: try open(path))
            while flock(lock.descriptor, shared ? LOCK_SH : LOCK_EX) != 0 {
                guard errno == EINTR else { throw HostFileError("lock", path, code: errno) }
            }
            if lock.isStill(at: path) { return lock }
        }
    }

    /// Takes the lock on `path` if nobody has it; `nil` otherwise.
    /// - Throws: ``HostFileError`` where the file cannot be opened.
    public static func take(ifFree path: String) throws(HostFileError) -> FileLock? {
        let lock = FileLock(owning: try open(path))
        return flock(lock.descriptor, LOCK_EX | LOCK_NB) == 0 && lock.isStill(at: path) ? lock : nil
    }

    /// Whether the file that is locked is the one that others find: its last owner may have removed it.
    private func isStill(at path: String) -> Bool {
        var (mine, found) = (stat(), stat())
        return fstat(descriptor, &mine) == 0 && stat(path, &found) == 0 && mine.st_ino == found.st_ino
            && mine.st_dev == found.st_dev
    }

    // MARK: Names

    /// Waits for the lock of a name among those that share the file at `path`.
    ///
    /// A file of its own for each name would cost a step a good part of a millisecond, and stay for ever. What is locked
    /// is one byte of the file, of 2^60: two names that share one, which cannot be expected, would wait for each other.
    /// - Throws: ``HostFileError`` where the file cannot be opened or locked.
    public static func wait(for name: String, in path: String) throws(HostFileError) -> FileLock {
        let lock = FileLock(owning: try open(path))
        var range = Self.range(of: name)
        while fcntl(lock.descriptor, Self.waitForDescriptionLock, &range) != 0 {
            guard errno == EINTR else { throw HostFileError("lock", path, code: errno) }
        }
        return lock
    }

    /// Takes the lock of a name if nobody has it; `nil` otherwise.
    /// - Throws: ``HostFileError`` where the file cannot be opened.
    public static func take(ifFree name: String, in path: String) throws(HostFileError) -> FileLock? {
        let lock = FileLock(owning: try open(path))
        var range = Self.range(of: name)
        return fcntl(lock.descriptor, Self.takeDescriptionLock, &range) == 0 ? lock : nil
    }

    // F_OFD_SETLK and F_OFD_SETLKW (fcntl(2)), which only GNU's headers show: locks of an open file, not of a process,
    // so that threads of one process wait for each other too.
    private static let takeDescriptionLock: CInt = 37
    private static let waitForDescriptionLock: CInt = 38

    private static func range(of name: String) -> flock {
        var range = flock()
        range.l_type = Int16(F_WRLCK)
        range.l_whence = Int16(SEEK_SET)
        // 15 digits: less than the greatest offset.
        range.l_start = off_t(Digest(of: name.utf8).hex.prefix(15), radix: 16) ?? 0
        range.l_len = 1
        return range
    }

    private static func open(_ path: String) throws(HostFileError) -> CInt {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw HostFileError("open the lock", path, code: errno) }
        return descriptor
    }
}
