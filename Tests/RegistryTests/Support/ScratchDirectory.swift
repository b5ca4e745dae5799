import Glibc
import OCI

/// A directory for one test; the system's cleaning of /tmp is what removes it.
struct ScratchDirectory {
    let path: String

    init() throws {
        var name = Array("/tmp/swbuild-test-XXXXXX".utf8CString)
        guard mkdtemp(&name) != nil else { throw ServerError(errno: errno) }
        path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Writes a file, and the directories above it.
    func write(_ text: String, to name: String) throws {
        let whole = "\(path)/\(name)"
        if let slash = whole.lastIndex(of: "/") { try HostFile.createDirectories(String(whole[..<slash])) }
        try HostFile.write(Array(text.utf8), to: whole)
    }

    func read(_ name: String) throws -> String {
        String(decoding: try HostFile.read("\(path)/\(name)", limit: 1 << 20), as: UTF8.self)
    }
}
