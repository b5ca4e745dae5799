import Glibc

/// Small files of the system, such as those of procfs.
enum SmallFile {
    private static let limit = 1 << 20

    /// The content of a file, at most a MiB of it; `nil` where it cannot be read.
    static func read(_ path: String) -> [UInt8]? {
        let number = open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return nil }
        let file = Descriptor(number)
        return read(file)
    }

    /// What is left to read from a descriptor, at most a MiB of it.
    static func read(_ file: borrowing Descriptor) -> [UInt8]? {
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while content.count < limit {
            let count = Glibc.read(file.number, &chunk, chunk.count)
            if count < 0 {
                if errno == EINTR { continue }
                return nil
            }
            if count == 0 { break }
            content += chunk[..<count]
        }
        return content
    }
}
