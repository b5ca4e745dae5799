extension LayerStack {
    /// One path of a whole root file system.
    public struct Flattened: Sendable, Hashable {
        /// The path's entry; of several names of one file, all but the first are hard links to the first.
        public let entry: TreeEntry
        /// Where it comes from.
        public let found: Found
    }

    /// A file's identity within a stack: the layer and the first name it has there.
    private struct FileIdentity: Hashable {
        let layer: Int
        let name: ContainerPath
    }

    /// All paths of the merged view in byte order, the root directory first: one layer that says what all of them say.
    public func flattened() -> [Flattened] {
        var all: [Found] = []
        walk(.root) { all.append($0) }
        all.sort { $0.entry.path < $1.entry.path }
        let linked = linkedFiles(all)
        var first: [FileIdentity: ContainerPath] = [:]
        return all.map { found in
            var entry = found.entry
            if case .directory = entry.kind { entry.kind = .directory(opaque: false) }
            let identity = identity(of: found)
            guard linked.contains(identity) else { return Flattened(entry: entry, found: found) }
            if let target = first[identity] {
                entry.kind = .hardLink(target: target)
                entry.attributes = []
            } else {
                first[identity] = entry.path
            }
            return Flattened(entry: entry, found: found)
        }
    }

    private func linkedFiles(_ all: [Found]) -> Set<FileIdentity> {
        var linked = Set<FileIdentity>()
        for found in all {
            let identity = identity(of: found)
            if identity.name != found.entry.path { linked.insert(identity) }
        }
        return linked
    }

    private func identity(of found: Found) -> FileIdentity {
        var name = found.entry.path
        let index = layers.indices.contains(found.layer) ? layers[found.layer].index : LayerIndex(sorted: [])
        for _ in 0..<Self.symlinkLimit {
            guard case .hardLink(let target)? = index.entry(at: name)?.kind else { break }
            name = target
        }
        return FileIdentity(layer: found.layer, name: name)
    }
}
