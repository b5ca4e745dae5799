import Glibc
import OCI

/// A directory of a test's own, removed with all that is in it when the last reference is gone.
final class ScratchDirectory: Sendable {
    let path: String

    init() throws {
        var name = Array("/tmp/swbuild-test-XXXXXX".utf8CString)
        guard mkdtemp(&name) != nil else { throw ServerError(errno: errno) }
        path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.remove(path) }

    /// Writes a file, and the directories above it.
    func write(_ text: String, to name: String) throws {
        let whole = "\(path)/\(name)"
        if let slash = whole.lastIndex(of: "/") { try HostFile.createDirectories(String(whole[..<slash])) }
        try HostFile.write(Array(text.utf8), to: whole)
    }

    func read(_ name: String) throws -> String {
        String(decoding: try HostFile.read("\(path)/\(name)", limit: 1 << 20), as: UTF8.self)
    }

    private static func remove(_ path: String) {
        if unlink(path) == 0 { return }
        for name in names(in: path) { remove("\(path)/\(name)") }
        rmdir(path)
    }

    private static func names(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let item = readdir(stream) {
            let name = withUnsafeBytes(of: item.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
