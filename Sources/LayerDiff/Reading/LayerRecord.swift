/// What a layer's tar said so far, and whether its next entry may be believed.
struct LayerRecord {
    private struct Node {
        var entry: TreeEntry
        /// Which file it is: the same for all its names.
        var file: Int
        /// For a hard link, the entry of the file.
        var source: TreeEntry?
    }

    /// What a whiteout turned out to mean.
    enum WhiteoutMeaning {
        /// What is below is gone.
        case gone
        /// This layer has a directory there, which hides what is below in it.
        case opaque
        /// This layer has something there anyway.
        case nothing
    }

    private let limits: LayerLimits
    private let lower: () -> LayerStack?
    private var nodes = PathLedger<Node>()
    /// Directories that are not listed (yet), but something beneath them is.
    private var implied = Set<ContainerPath>()
    private var count = 0
    private var bytes: Int64 = 0
    private var textBytes = 0
    private var checkedParent: ContainerPath?

    init(limits: LayerLimits, lower: @escaping () -> LayerStack? = { nil }) {
        self.limits = limits
        self.lower = lower
    }

    /// Whether this layer put something at `path`, or beneath it.
    func contains(_ path: ContainerPath) -> Bool {
        if implied.contains(path) { return true }
        guard let node = nodes[path] else { return false }
        return node.entry.kind != .whiteout
    }

    /// Whether this layer lists a file, or something else that a hard link may lead to, at `path`.
    func containsLinkable(_ path: ContainerPath) -> Bool {
        nodes[path] != nil
    }

    /// Whether this layer has a directory at `path` that hides what is below.
    func isOpaque(_ path: ContainerPath) -> Bool { nodes[path]?.entry.kind == .directory(opaque: true) }

    /// Which file the entry is that was noted last, unless it is one more name of another.
    var lastFile: Int { count }

    /// Notes an entry; answers it as it counts, with a hard link leading straight to its file.
    mutating func add(_ original: TreeEntry) throws(LayerError) -> TreeEntry {
        try countEntry(original)
        try checkParents(of: original.path)
        var entry = original
        let existing = nodes[entry.path]?.entry
        if entry.isDirectory {
            let isOpaque = existing.map { $0.kind == .whiteout || $0.kind == .directory(opaque: true) } ?? false
            entry.kind = .directory(opaque: isOpaque)
        } else if existing?.isDirectory == true || implied.contains(entry.path) {
            nodes.clear(beneath: entry.path)
            checkedParent = nil
        }
        implied.remove(entry.path)
        var node = Node(entry: entry, file: count)
        if case .hardLink(let target) = entry.kind, let file = try linked(target, from: entry.path) {
            node = file
            entry.kind = .hardLink(target: file.entry.path)
            node.entry = entry
            node.source = file.source ?? file.entry
        }
        nodes.put(node, at: entry.path)
        return entry
    }

    /// Notes a whiteout.
    mutating func whiteout(_ path: ContainerPath) throws(LayerError) -> WhiteoutMeaning {
        try countEntry(.whiteout(path))
        try checkParents(of: path)
        if implied.contains(path) || nodes[path]?.entry.isDirectory == true {
            try makeOpaque(path)
            return .opaque
        }
        if nodes[path] != nil { return .nothing }
        nodes.put(Node(entry: .whiteout(path), file: count), at: path)
        return .gone
    }

    /// Notes that a directory is opaque.
    mutating func opaque(_ path: ContainerPath) throws(LayerError) {
        try countEntry(.impliedDirectory(path))
        try checkParents(of: path)
        try makeOpaque(path)
    }

    /// What the layer says in all.
    func index() -> LayerIndex { index(of: nodes.sorted()) }

    /// What the layer says in all, and, in byte order of the paths, which names are one file; each name has the entry
    /// that the file was listed with.
    func named() -> (index: LayerIndex, names: [(entry: TreeEntry, file: Int)]) {
        let all = nodes.sorted()
        let names = all.map { path, node in
            var entry = node.source ?? node.entry
            entry.path = path
            return (entry: entry, file: node.file)
        }
        return (index(of: all), names)
    }

    private func index(of all: [(path: ContainerPath, value: Node)]) -> LayerIndex {
        var firstNames: [Int: ContainerPath] = [:]
        var entries: [TreeEntry] = []
        entries.reserveCapacity(all.count)
        for (path, node) in all {
            var entry = node.entry
            if case .hardLink(let target) = entry.kind, let source = node.source, nodes[target]?.file != node.file {
                // The name that this was a link to stands for something else by now.
                if let first = firstNames[node.file] {
                    entry.kind = .hardLink(target: first)
                } else {
                    firstNames[node.file] = path
                    entry = source
                    entry.path = path
                }
            }
            entries.append(entry)
        }
        return LayerIndex(sorted: entries)
    }

    /// A few long names imply many long paths: this bounds what a small archive can make of itself.
    private mutating func countText(_ bytes: Int) throws(LayerError) {
        textBytes += bytes
        try LayerIndex.check(textBytes: textBytes)
    }

    private mutating func countEntry(_ entry: TreeEntry) throws(LayerError) {
        count += 1
        try countText(entry.textBytes)
        try limits.check(entries: count + implied.count)
        guard case .file(let size) = entry.kind else { return }
        // A sparse file may be far larger than what the tar has of it.
        let (sum, isOverflow) = bytes.addingReportingOverflow(size)
        bytes = isOverflow ? .max : sum
        try limits.check(bytes: bytes)
    }

    private mutating func makeOpaque(_ path: ContainerPath) throws(LayerError) {
        var entry = nodes[path]?.entry ?? impliedDirectory(path)
        if entry.kind == .whiteout { entry = impliedDirectory(path) }
        guard entry.isDirectory else {
            throw refused(path, "the layer has something else there than the directory that it calls opaque")
        }
        entry.kind = .directory(opaque: true)
        implied.remove(path)
        nodes.put(Node(entry: entry, file: count), at: path)
    }

    /// What a directory that is not listed looks like: as the layers below have it.
    func impliedDirectory(_ path: ContainerPath) -> TreeEntry {
        guard var below = lower()?.lookup(path)?.entry, below.isDirectory else { return .impliedDirectory(path) }
        below.kind = .directory(opaque: false)
        return below
    }

    /// All that is above an entry must be a directory as far as this layer knows.
    private mutating func checkParents(of path: ContainerPath) throws(LayerError) {
        guard let parent = path.parent, parent != checkedParent else { return }
        for ancestor in path.ancestors where !ancestor.isRoot {
            guard let node = nodes[ancestor] else {
                if implied.insert(ancestor).inserted { try countText(ancestor.bytes.count) }
                continue
            }
            if node.entry.isDirectory { break }
            guard node.entry.kind == .whiteout else {
                throw refused(path, "it leads through \(ancestor), which is no directory in this layer")
            }
            try makeOpaque(ancestor)
        }
        checkedParent = parent
    }

    /// The node that a hard link leads to, if this layer has it.
    private func linked(_ target: ContainerPath, from path: ContainerPath) throws(LayerError) -> Node? {
        guard !implied.contains(target) else { throw refused(path, "it is a hard link to a directory") }
        guard var node = nodes[target] else { return nil }
        switch node.entry.kind {
        case .directory: throw refused(path, "it is a hard link to a directory")
        case .whiteout: throw refused(path, "it is a hard link to what the layer deletes")
        case .hardLink(let first):
            // The link's own name leads there as well, should the first one not be the file any more.
            if let file = nodes[first], file.file == node.file { return file }
            return node
        case .file, .symlink, .characterDevice, .blockDevice, .fifo:
            node.source = nil
            return node
        }
    }

    private func refused(_ path: ContainerPath, _ why: String) -> LayerError {
        LayerError(.hostileEntry(name: path.description, why: why))
    }
}
