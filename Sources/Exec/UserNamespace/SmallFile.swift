import Glibc
import SystemPackage

/// Small files of the system, such as those of procfs.
enum SmallFile {
    private static let limit = 1 << 20

    /// The content of a file, at most a MiB of it; `nil` where it cannot be read.
    static func read(_ path: String) -> [UInt8]? { try? contents(of: path) }

    /// The content of a file, at most a MiB of it.
    static func contents(of path: String) throws(Errno) -> [UInt8] {
        let number = open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { throw Errno(rawValue: errno) }
        let file = Descriptor(number)
        return try contents(of: file)
    }

    /// Writes a file of procfs or of cgroups, which takes its content in one piece or not at all.
    static func write(_ text: String, to path: String) throws(Errno) {
        let number = open(path, O_WRONLY | O_CLOEXEC)
        guard number >= 0 else { throw Errno(rawValue: errno) }
        let file = Descriptor(number)
        var bytes = Array(text.utf8)
        guard Glibc.write(file.number, &bytes, bytes.count) == bytes.count else { throw Errno(rawValue: errno) }
    }

    /// What is left to read from a descriptor, at most a MiB of it.
    static func read(_ file: borrowing Descriptor) -> [UInt8]? { try? contents(of: file) }

    private static func contents(of file: borrowing Descriptor) throws(Errno) -> [UInt8] {
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while content.count < limit {
            let count = Glibc.read(file.number, &chunk, chunk.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw Errno(rawValue: errno)
            }
            if count == 0 { break }
            content += chunk[..<count]
        }
        return content
    }
}
