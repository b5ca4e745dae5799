import LayerDiff

extension LayerStack {
    /// All that the stack shows as the entries of one layer, with where their contents are.
    /// - Throws: `LayerError` when a layer's directory cannot be had.
    func flattenedEntries() throws -> [LayerEntry] {
        try flattened().map { flat in
            guard case .file = flat.entry.kind else { return LayerEntry(entry: flat.entry, content: .none) }
            let directory = try directory(ofLayer: flat.found.layer)
            return LayerEntry(entry: flat.entry, content: .file(directory, flat.found.contentPath))
        }
    }
}
