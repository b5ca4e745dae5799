import Glibc
import OCI

/// A directory of a test's own, removed when the test is done with it.
final class Scratch: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/oci-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw HostFileError("create", "a test directory", code: errno) }
        path = template.withUnsafeBufferPointer {
            String(decoding: $0.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
    }

    deinit { remove("") }

    private func remove(_ name: String) {
        for below in names(name) where unlink("\(path)\(name)/\(below)") != 0 { remove("\(name)/\(below)") }
        rmdir("\(path)\(name)")
    }

    /// The names in a directory below, sorted.
    func names(_ directory: String = "") -> [String] {
        guard let stream = opendir("\(path)/\(directory)") else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let item = readdir(stream) {
            let name = withUnsafePointer(to: &item.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}
