import LayerDiff

/// A stored layer index: what is read is written back the same.
func fuzzIndex(_ input: [UInt8]) {
    guard let index = try? LayerIndex(decoding: input) else { return }
    let again = succeed("reading back") { try LayerIndex(decoding: index.encoded()) }
    require(again == index, "the index changes")
    _ = index.treeDigest()
    _ = index.isSelfContained
    for entry in index.entries.prefix(20) {
        require(index.entry(at: entry.path) == entry, "\(entry.path) is not found")
        _ = index.children(of: entry.path)
    }
    let layer = LayerStack.Layer(index: index) { throw NothingUnpacked() }
    let stack = LayerStack([layer, layer])
    for entry in index.entries.prefix(20) { _ = stack.lookup(entry.path) }
}

private struct NothingUnpacked: Error {}
