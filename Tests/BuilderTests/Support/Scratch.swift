import Glibc
import LayerDiff
import OCI
import Store

/// A directory of a test's own, removed when the test is done with it.
final class Scratch: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/builder-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw HostFileError("create", "a test directory", code: errno) }
        path = template.withUnsafeBufferPointer {
            String(decoding: $0.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
    }

    deinit { removeTree(path) }

    /// Writes a file, its directories included, with fixed mode and time.
    func write(_ text: String, to name: String, mode: mode_t = 0o644) throws {
        let path = "\(path)/\(name)"
        if let slash = path.lastIndex(of: "/") { try HostFile.createDirectories(String(path[..<slash])) }
        try HostFile.write(Array(text.utf8), to: path)
        chmod(path, mode)
        try setTime(1_600_000_000, of: name)
    }

    func directory(_ name: String) throws { try HostFile.createDirectories("\(path)/\(name)") }

    func link(_ name: String, to target: String) throws {
        guard symlink(target, "\(path)/\(name)") == 0 else { throw HostFileError("link", name, code: errno) }
    }

    func hardLink(_ name: String, to target: String) throws {
        guard Glibc.link("\(path)/\(target)", "\(path)/\(name)") == 0 else {
            throw HostFileError("link", name, code: errno)
        }
    }

    func setTime(_ seconds: Int, of name: String) throws {
        var times = [timespec(), timespec()]
        times[0].tv_sec = seconds
        times[1].tv_sec = seconds
        guard utimensat(AT_FDCWD, "\(path)/\(name)", &times, 0) == 0 else {
            throw HostFileError("set the time of", name, code: errno)
        }
    }

    func text(_ name: String) throws -> String {
        String(decoding: try HostFile.read("\(path)/\(name)", limit: 1 << 20), as: UTF8.self)
    }
}
