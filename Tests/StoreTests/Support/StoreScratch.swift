import Glibc
import LayerDiff
import OCI
import Store
import SystemPackage

/// A directory of a test's own with a store and a foreign layout in it, removed when the test is done with it.
final class StoreScratch: Sendable {
    let path: String
    let foreign: ImageLayout

    init() throws {
        var template = Array("/tmp/store-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
        path = template.withUnsafeBufferPointer {
            String(decoding: $0.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
        foreign = try ImageLayout(creating: "\(path)/foreign")
    }

    deinit { removeTree(path) }

    var root: String { "\(path)/root" }

    func store() throws -> Store { try Store(root: root) }

    /// Writes a layer's blob into a layout.
    func layer(
        _ entries: [LayerEntry],
        in layout: ImageLayout? = nil,
        options: LayerOptions = LayerOptions()
    ) throws -> LayerRecord {
        let layout = layout ?? foreign
        let temporary = "\(path)/blob"
        let file = try FileDescriptor.open(
            temporary,
            .readWrite,
            options: [.create, .truncate],
            permissions: [.ownerReadWrite]
        )
        let blob = try file.closeAfter { try LayerWriter.begin(entries, blob: file, options: options).finish() }
        try HostFile.write(HostFile.read(temporary, limit: 16 << 20), to: layout.blobPath(blob.digest))
        return LayerRecord(diffID: blob.diffID, digest: blob.digest, size: blob.size, compression: blob.compression)
    }

    /// Writes a layer's blob and its record into a store.
    func stored(_ entries: [LayerEntry], in store: Store) throws -> LayerRecord {
        let record = try layer(entries, in: store.images)
        try store.insert(record, tree: nil)
        return record
    }

    /// Comes back when somebody waits for the lock on `path`, of this process or another.
    func waitForWaiter(on path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0 else { throw Errno(rawValue: errno) }
        while true {
            let locks = try text("/proc/locks").split(separator: "\n")
            if locks.contains(where: { $0.contains("->") && $0.contains(":\(status.st_ino) ") }) { return }
            sched_yield()
        }
    }

    /// The names in a directory below the root, sorted.
    func names(_ directory: String) throws -> [String] {
        try Directory(path: "\(root)/\(directory)").list(.root).map { String(decoding: $0.name, as: UTF8.self) }
            .sorted()
    }

    /// A file's text, below the root or absolute.
    func text(_ name: String) throws -> String {
        let path = name.hasPrefix("/") ? name : "\(root)/\(name)"
        return String(decoding: try HostFile.read(path, limit: 1 << 20), as: UTF8.self)
    }
}

extension LayerEntry {
    static func file(_ path: String, _ text: String = "", modified: Int64 = 1000) -> LayerEntry {
        let bytes = Array(text.utf8)
        let entry = TreeEntry(
            path: ContainerPath(path),
            kind: .file(size: Int64(bytes.count)),
            mode: 0o644,
            modified: modified
        )
        return LayerEntry(entry: entry, content: .bytes(bytes))
    }

    static func directory(_ path: String, mode: UInt16 = 0o755) -> LayerEntry {
        let kind = TreeEntry.Kind.directory(opaque: false)
        return LayerEntry(entry: TreeEntry(path: ContainerPath(path), kind: kind, mode: mode, modified: 1000))
    }
}

/// A digest of a text, for where any digest will do.
func digest(_ text: String) -> Digest { Digest(of: text.utf8) }
