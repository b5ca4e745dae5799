import LayerDiff
import OCI
import SystemPackage

private let limits = LayerLimits(maxEntries: mostLayerEntries, maxBytes: mostLayerBytes)

/// A layer, compressed or not: indexed within its limits, and written anew.
func fuzzTar(_ input: [UInt8]) {
    withFile(blob(input)) { file in
        guard let layer = read(file) else { return }
        check(layer)
        for compression in [LayerCompression.none, .zstd(level: 1)] {
            // Times in the future make the tar be written anew, entry by entry; without them its bytes stay.
            for latest in [nil, Int64.min + 1] {
                rewrite(file, layer, LayerOptions(compression: compression, latestModification: latest))
            }
        }
    }
}

private func read(_ file: FileDescriptor) -> ReadLayer? {
    do throws(LayerError) {
        return try LayerReader.index(file, limits: limits)
    } catch {
        require(!error.description.isEmpty, "an error says nothing")
        return nil
    }
}

private func check(_ layer: ReadLayer) {
    require(layer.uncompressedSize <= mostLayerBytes, "a tar of \(layer.uncompressedSize) bytes")
    let entries = layer.index.entries
    // A listed name may be accompanied by directories that a whiteout or mark implies.
    require(entries.count <= 2 * mostLayerEntries, "\(entries.count) entries")
    var size: Int64 = 0
    for (index, entry) in entries.enumerated() {
        require(index == 0 || entries[index - 1].path < entry.path, "the entries are not in order")
        require(!entry.path.bytes.contains(0), "a path holds a zero")
        require(!entry.path.components.contains { $0.elementsEqual("..".utf8) }, "a path leads up")
        require(entry.mode <= 0o7777, "a mode is out of range")
        if case .file(let length) = entry.kind { size += length }
    }
    require(size <= mostLayerBytes, "files of \(size) bytes")
    let encoded = layer.index.encoded()
    let decoded = succeed("reading the index back") { try LayerIndex(decoding: encoded) }
    require(decoded == layer.index, "the index changes")
    require(decoded.treeDigest() == layer.index.treeDigest(), "the tree's digest changes")
    _ = layer.index.isSelfContained
}

private func rewrite(_ file: FileDescriptor, _ layer: ReadLayer, _ options: LayerOptions) {
    withFile([]) { output in
        let written: LayerBlob
        do throws(LayerError) {
            written = try LayerRewriter.rewrite(file, to: output, options: options)
        } catch {
            // What a tar says twice, or in a way that has no words in ours, is refused.
            return
        }
        let again = succeed("reading what was written") { try LayerReader.index(output) }
        require(again.diffID == written.diffID && again.blobDigest == written.digest, "the digests are wrong")
        guard options.latestModification == nil else { return }
        require(again.diffID == layer.diffID && again.index == layer.index, "the layer changes")
    }
}
