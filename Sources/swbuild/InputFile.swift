import Glibc
import OCI

/// Standard input where a file is needed, since it is read more than once.
enum InputFile {
    /// What an archive may take, as of any layer.
    private static let limit: Int64 = 256 << 30

    /// Writes all of standard input to a new file.
    static func spool(to path: String) throws {
        let raw = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw HostFileError("create", path, code: errno) }
        defer { close(raw) }
        var chunk = [UInt8](repeating: 0, count: 256 << 10)
        var left = limit
        while true {
            let count = read(0, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw HostFileError("read", "standard input", code: errno) }
            if count == 0 { return }
            left -= Int64(count)
            guard left >= 0 else { throw HostFileError("read", "standard input", code: EFBIG) }
            try HostFile.write(chunk[..<count], descriptor: raw, named: path)
        }
    }
}
