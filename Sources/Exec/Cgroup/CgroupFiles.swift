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
    /// No file that is read here is longer.
    private static let limit = 1 << 20

    func read(_ path: String) throws(Errno) -> String {
        let file = Descriptor(open(path, O_RDONLY | O_CLOEXEC))
        guard file.number >= 0 else { throw Errno(rawValue: errno) }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while text.count < Self.limit {
            let count = Glibc.read(file.number, &chunk, chunk.count)
            if count == 0 { break }
            if count < 0 {
                guard errno == EINTR else { throw Errno(rawValue: errno) }
                continue
            }
            text += chunk[..<count]
        }
        return String(decoding: text, as: UTF8.self)
    }

    func write(_ text: String, to path: String) throws(Errno) {
        let file = Descriptor(open(path, O_WRONLY | O_CLOEXEC))
        guard file.number >= 0 else { throw Errno(rawValue: errno) }
        var bytes = Array(text.utf8)
        // The kernel takes a value in one piece or not at all.
        guard Glibc.write(file.number, &bytes, bytes.count) == bytes.count else { throw Errno(rawValue: errno) }
    }

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
