/// The tree that an archive describes, while it is read.
///
/// Only the model knows names and links; on disk there are numbered plain files. So nothing that an archive says can
/// lead the file system anywhere.
struct ArchiveTree {
    private struct Node {
        var entry: TreeEntry
        var content: ContentSource
        /// Which file it is: the same for all its names.
        var file: Int
    }

    private let scratch: Directory
    private let limits: LayerLimits
    private let nodes: NodeMaker
    private var ledger = PathLedger<Node>()
    private var implied = Set<ContainerPath>()
    private var count = 0
    private var files = 0
    private var bytes: Int64 = 0
    private var textBytes = 0

    init(scratch: Directory, limits: LayerLimits) {
        self.scratch = scratch
        self.limits = limits
        nodes = NodeMaker(scratch)
    }

    mutating func add(_ member: TarMember, contentFrom reader: TarReader) throws(LayerError) {
        count += 1
        let named = ContainerPath(cleaning: member.name)
        // No such file could ever be opened.
        guard max(named.bytes.count, member.symlink?.count ?? 0) < ContainerPath.tooLong else {
            throw LayerMember.refused(member, "its name or target is longer than a path can be")
        }
        guard let parent = named.parent else {
            if member.kind == .directory { try put(entry(member, at: .root, .directory(opaque: false))) }
            return
        }
        let directory = try resolve(parent)
        try makeDirectories(directory)
        let path = ContainerPath(parent: directory, name: named.name)
        guard path.bytes.count < ContainerPath.tooLong else {
            throw LayerMember.refused(member, "it leads to a name that is longer than a path can be")
        }
        if let target = member.hardLink { return try link(path, to: target, member) }
        switch member.kind {
        case .file:
            let content = try content(of: member, from: reader)
            try put(entry(member, at: path, .file(size: member.size)), content)
        case .directory: try put(entry(member, at: path, .directory(opaque: false)))
        case .symlink: try put(entry(member, at: path, .symlink(target: member.symlink ?? [])))
        case .characterDevice:
            try LayerMember.checkDevice(member)
            try put(entry(member, at: path, .characterDevice(major: member.deviceMajor, minor: member.deviceMinor)))
        case .blockDevice:
            try LayerMember.checkDevice(member)
            try put(entry(member, at: path, .blockDevice(major: member.deviceMajor, minor: member.deviceMinor)))
        case .fifo: try put(entry(member, at: path, .fifo))
        case .socket: break
        }
    }

    /// All that is left at the end; the first of a file's names is the file, the others are hard links.
    func finish() -> ExtractedArchive {
        var firstNames: [Int: ContainerPath] = [:]
        var entries: [LayerEntry] = []
        var impliedDirectories: [ContainerPath] = []
        for (path, node) in ledger.sorted() {
            var entry = LayerEntry(entry: node.entry, content: node.content)
            entry.entry.path = path
            if let first = firstNames[node.file] {
                entry.entry.kind = .hardLink(target: first)
                entry.entry.attributes = []
                entry.content = .none
            } else {
                firstNames[node.file] = path
            }
            if implied.contains(path) { impliedDirectories.append(path) }
            entries.append(entry)
        }
        return ExtractedArchive(entries: entries, impliedDirectories: impliedDirectories)
    }

    private func entry(_ member: TarMember, at path: ContainerPath, _ kind: TreeEntry.Kind) -> TreeEntry {
        TreeEntry(
            path: path,
            kind: kind,
            mode: member.mode,
            uid: member.uid,
            gid: member.gid,
            modified: member.modified,
            attributes: member.attributes
        )
    }

    private mutating func put(_ entry: TreeEntry, _ content: ContentSource = .none) throws(LayerError) {
        files += 1
        try put(Node(entry: entry, content: content, file: files))
    }

    private mutating func put(_ node: Node) throws(LayerError) {
        let path = node.entry.path
        textBytes += node.entry.textBytes
        try LayerIndex.check(textBytes: textBytes)
        try limits.check(entries: count + implied.count)
        if !node.entry.isDirectory, ledger[path]?.entry.isDirectory == true { ledger.clear(beneath: path) }
        implied.remove(path)
        ledger.put(node, at: path)
    }

    private mutating func link(_ path: ContainerPath, to name: [UInt8], _ member: TarMember) throws(LayerError) {
        let named = ContainerPath(cleaning: name)
        let directory = try resolve(named.parent ?? .root)
        let target = named.isRoot ? named : ContainerPath(parent: directory, name: named.name)
        guard var node = ledger[target], !node.entry.isDirectory else {
            throw LayerMember.refused(member, "it is a hard link to \(named), which is no file in the archive")
        }
        if target == path { return }
        node.entry.path = path
        try put(node)
    }

    /// Makes `path` and all above it directories; what is something else is replaced.
    private mutating func makeDirectories(_ path: ContainerPath) throws(LayerError) {
        var missing: [ContainerPath] = []
        var current = path
        while !current.isRoot, ledger[current]?.entry.isDirectory != true {
            missing.append(current)
            current = current.parent ?? .root
        }
        for path in missing.reversed() {
            try put(.impliedDirectory(path))
            implied.insert(path)
        }
    }

    /// Where a directory's path leads through the archive's symlinks.
    private func resolve(_ path: ContainerPath) throws(LayerError) -> ContainerPath {
        try SymlinkResolution.resolve(path, followLast: true) { path in
            guard let entry = ledger[path]?.entry else { return .missing }
            if case .symlink(let target) = entry.kind { return .symlink(target: target) }
            return .other
        }
    }

    /// Stores a file's content in the scratch directory under the entry's number.
    private mutating func content(of member: TarMember, from reader: TarReader) throws(LayerError) -> ContentSource {
        let (sum, isOverflow) = bytes.addingReportingOverflow(max(member.size, 0))
        bytes = isOverflow ? .max : sum
        try limits.check(bytes: bytes)
        guard member.size > 0 else { return .none }
        let path = ContainerPath("\(count)")
        let spot = NodeMaker.Spot(directory: scratch, name: path.bytes, path: path)
        let file = try LayerError.wrapping { () throws(FileError) in try nodes.createFile(spot) }
        try reader.content { (piece, offset) throws(LayerError) in
            try LayerError.wrapping { () throws(FileError) in try file.write(piece, at: offset) }
        }
        try LayerError.wrapping { () throws(FileError) in try file.extend(to: member.size) }
        return .file(scratch, path)
    }
}
