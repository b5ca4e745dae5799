import Glibc
import SystemPackage

/// What is done to the file systems of cgroups: the only way there, so that the order of it can be tested.
protocol CgroupFiles: Sendable {
    func read(_ path: String) throws(Errno) -> String
    func write(_ text: String, to path: String) throws(Errno)
    func makeDirectory(_ path: String) throws(Errno)
    func removeDirectory(_ path: String) throws(Errno)
    /// The names of the directories in a directory.
    func directories(in path: String) throws(Errno) -> [String]
    /// Fails where this process may not write to a file, or make anything in a directory.
    func checkWritable(_ path: String) throws(Errno)
    /// Takes a directory for this process until the claim is gone; `nil` where another one has it, or it is gone.
    func claim(_ path: String) throws(Errno) -> CgroupClaim?
}

/// A lock on the directory of a cgroup: as long as it lives, the cgroup is in use.
///
/// The kernel lets go of it however the process ends, so what is not locked is a leftover.
final class CgroupClaim: Sendable {
    private let descriptor: CInt

    /// Takes over a descriptor with a lock; a negative number stands for none.
    init(owning descriptor: CInt) { self.descriptor = descriptor }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }
}

/// The kernel's files.
struct KernelCgroupFiles: CgroupFiles {
    func read(_ path: String) throws(Errno) -> String {
        String(decoding: try SmallFile.contents(of: path), as: UTF8.self)
    }

    func write(_ text: String, to path: String) throws(Errno) { try SmallFile.write(text, to: path) }

    func makeDirectory(_ path: String) throws(Errno) {
        guard mkdir(path, 0o755) == 0 else { throw Errno(rawValue: errno) }
    }

    func removeDirectory(_ path: String) throws(Errno) {
        guard rmdir(path) == 0 else { throw Errno(rawValue: errno) }
    }

    func directories(in path: String) throws(Errno) -> [String] {
        guard let stream = opendir(path) else { throw Errno(rawValue: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            guard entry.pointee.d_type == UInt8(DT_DIR) else { continue }
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    func checkWritable(_ path: String) throws(Errno) {
        guard faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 else { throw Errno(rawValue: errno) }
    }

    func claim(_ path: String) throws(Errno) -> CgroupClaim? {
        let number = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else {
            if errno == ENOENT || errno == ENODEV { return nil }
            throw Errno(rawValue: errno)
        }
        let claim = CgroupClaim(owning: number)
        guard flock(number, LOCK_EX | LOCK_NB) == 0 else { return nil }
        // Whoever had it before may have removed it.
        var (mine, found) = (stat(), stat())
        guard fstat(number, &mine) == 0, stat(path, &found) == 0, mine.st_ino == found.st_ino else { return nil }
        return claim
    }
}
