/// All that a layer says of its paths: what is where, without the contents.
public struct LayerIndex: Sendable, Hashable {
    /// The entries in byte order of their paths, each path once.
    public let entries: [TreeEntry]

    /// How many bytes of paths, link targets and extended attributes an index may have in all.
    static let mostTextBytes = 1 << 30

    /// - Throws: ``LayerError`` where so many bytes are too many.
    static func check(textBytes: Int) throws(LayerError) {
        guard textBytes > mostTextBytes else { return }
        throw LayerError(.limit(what: "bytes of paths and extended attributes", allowed: Int64(mostTextBytes)))
    }

    /// Sorts `entries`; of several for one path, the last one counts.
    public init(_ entries: some Sequence<TreeEntry>) {
        var sorted = Array(entries)
        var isSorted = true
        for index in sorted.indices.dropFirst() where !(sorted[index - 1].path < sorted[index].path) {
            isSorted = false
            break
        }
        if !isSorted {
            // The standard library's sort is stable, so that of equals the last one is the last one given.
            sorted.sort { $0.path < $1.path }
            var unique: [TreeEntry] = []
            unique.reserveCapacity(sorted.count)
            for entry in sorted {
                if unique.last?.path == entry.path { unique.removeLast() }
                unique.append(entry)
            }
            sorted = unique
        }
        self.entries = sorted
    }

    /// Takes entries that are known to be in order.
    init(sorted entries: [TreeEntry]) {
        self.entries = entries
    }

    /// The entry for exactly this path.
    public func entry(at path: ContainerPath) -> TreeEntry? {
        let index = position(of: path)
        guard index < entries.count, entries[index].path == path else { return nil }
        return entries[index]
    }

    /// Everything beneath the directory at `path`, the directory itself not included.
    public func descendants(of path: ContainerPath) -> ArraySlice<TreeEntry> {
        if path.isRoot { return entries[firstBeneathRoot...] }
        // '0' is the byte after '/': all that begins with "path/" is before "path0".
        let start = position(of: ContainerPath(clean: path.bytes + [UInt8(ascii: "/")]))
        let end = position(of: ContainerPath(clean: path.bytes + [UInt8(ascii: "0")]))
        return entries[start..<end]
    }

    /// Whether anything is listed beneath `path`.
    func hasDescendants(of path: ContainerPath) -> Bool {
        if path.isRoot { return entries.count > firstBeneathRoot }
        let first = position(of: path)
        guard first < entries.count, entries[first].path.bytes.starts(with: path.bytes) else { return false }
        // What has the same beginning may be another name's, such as "path-2", which comes before "path/".
        let start = position(of: ContainerPath(clean: path.bytes + [UInt8(ascii: "/")]))
        return start < entries.count && path.isAncestor(of: entries[start].path)
    }

    /// The entries listed directly in the directory at `path`, in byte order.
    public func children(of path: ContainerPath) -> [TreeEntry] {
        var children: [TreeEntry] = []
        forEachChild(of: path) { _, entry in
            if let entry { children.append(entry) }
        }
        return children
    }

    /// Calls `body` for each name in the directory at `path`, in the entries' own order.
    ///
    /// It is given the name's entry, or none where only something beneath it is listed.
    func forEachChild(of path: ContainerPath, _ body: (ContainerPath, TreeEntry?) -> Void) {
        let all = descendants(of: path)
        let nameStart = path.isRoot ? 0 : path.bytes.count + 1
        var listed = Set<ContainerPath>()
        var index = all.startIndex
        while index < all.endIndex {
            let entry = all[index]
            guard let slash = entry.path.bytes[nameStart...].firstIndex(of: UInt8(ascii: "/")) else {
                if entry.isDirectory { listed.insert(entry.path) }
                body(entry.path, entry)
                index += 1
                continue
            }
            let child = ContainerPath(clean: Array(entry.path.bytes[..<slash]))
            if !listed.contains(child) { body(child, nil) }
            index = position(of: ContainerPath(clean: child.bytes + [UInt8(ascii: "0")]))
        }
    }

    /// Whether the layer says the same on top of any other: every parent directory is listed, and every hard link's
    /// target is inside.
    public var isSelfContained: Bool {
        for entry in entries {
            if let parent = entry.path.parent, !parent.isRoot {
                guard let above = self.entry(at: parent), above.isDirectory else { return false }
            }
            if case .hardLink(let target) = entry.kind {
                guard let file = self.entry(at: target) else { return false }
                switch file.kind {
                case .directory, .hardLink, .whiteout: return false
                case .file, .symlink, .characterDevice, .blockDevice, .fifo: continue
                }
            }
        }
        return true
    }

    private var firstBeneathRoot: Int { entries.first?.path.isRoot == true ? 1 : 0 }

    private func position(of path: ContainerPath) -> Int {
        entries.partitionPoint { $0.path < path }
    }
}
