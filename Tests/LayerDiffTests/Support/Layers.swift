import LayerDiff
import OCI
import SystemPackage

/// A layer as tests pass it around: its blob in a file of a scratch directory.
struct StoredLayer {
    let scratch: Scratch
    let name: String
    let blob: LayerBlob
    let index: LayerIndex

    func reading<Value>(_ body: (FileDescriptor) throws -> Value) throws -> Value {
        try scratch.reading(name, body)
    }

    func unpacked(_ directory: String, lower: LayerStack? = nil) throws -> LayerStack.Layer {
        let target = try scratch.directory(directory)
        let options = ApplyOptions(
            form: .overlay(attributePrefix: "trusted.overlay."),
            lower: { lower },
            devices: .made
        )
        let read = try reading { try LayerReader.apply($0, to: target, options: options) }
        return LayerStack.Layer(index: read.index) { target }
    }
}

extension Scratch {
    /// Writes a layer and checks what its writer says of it.
    func layer(
        _ entries: [LayerEntry],
        _ name: String = "layer",
        options: LayerOptions = LayerOptions()
    ) throws -> StoredLayer {
        try file(name) { file in
            let pending = try LayerWriter.begin(entries, blob: file, options: options)
            return StoredLayer(scratch: self, name: name, blob: try pending.finish(), index: pending.index)
        }
    }

    /// Applies raw tar bytes to a new directory.
    @discardableResult
    func apply(
        _ tar: [UInt8],
        to directory: String,
        _ options: ApplyOptions = ApplyOptions(form: .overlay(attributePrefix: "trusted.overlay."))
    ) throws -> ReadLayer {
        try write(tar, to: "raw.tar")
        let target = try self.directory(directory)
        return try reading("raw.tar") { try LayerReader.apply($0, to: target, options: options) }
    }
}

extension LayerEntry {
    /// A file of so much text.
    static func file(_ path: String, _ content: String = "", mode: UInt16 = 0o644) -> LayerEntry {
        let bytes = Array(content.utf8)
        let entry = TreeEntry(
            path: ContainerPath(path),
            kind: .file(size: Int64(bytes.count)),
            mode: mode,
            modified: 1000
        )
        return LayerEntry(entry: entry, content: .bytes(bytes))
    }

    static func node(_ path: String, _ kind: TreeEntry.Kind, mode: UInt16 = 0o755) -> LayerEntry {
        LayerEntry(entry: TreeEntry(path: ContainerPath(path), kind: kind, mode: mode, modified: 1000))
    }

    static func directory(_ path: String, isOpaque: Bool = false) -> LayerEntry {
        node(path, .directory(opaque: isOpaque))
    }
}
