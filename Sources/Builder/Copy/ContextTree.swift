import BuildFileParser
import LayerDiff
import OCI

/// A directory of the host as a source, less what its ignore file excludes.
final class ContextTree: SourceTree, Sendable {
    private let directory: Directory
    private let rules: IgnoreRules?
    private let hashes: ContentHashes
    /// How messages call this tree.
    let name: String
    /// The directory, absolute.
    let path: String
    /// How messages call the ignore file.
    private let ignoreFileName: String

    init(
        path: String,
        name: String,
        rules: IgnoreRules?,
        ignoreFileName: String = "the ignore file",
        hashes: ContentHashes
    ) throws {
        self.ignoreFileName = ignoreFileName
        directory = try Directory(path: path)
        self.rules = rules
        self.hashes = hashes
        self.name = name
        self.path = path
    }

    /// Whether an ignore file hides anything.
    var isFiltered: Bool { rules?.isEmpty == false }

    private func verdict(_ path: ContainerPath) -> IgnoreRules.Verdict {
        guard let rules, !path.isRoot else { return .included }
        return rules.verdict(for: path.bytes)
    }

    /// The line of the ignore file that drops a path which is there; `nil` where it is not.
    func hidingRule(_ path: ContainerPath) throws -> String? {
        let verdict = verdict(path)
        guard verdict.ignored, let line = verdict.line, let pattern = rules?.pattern(of: verdict),
            try directory.status(path) != nil
        else { return nil }
        return "line \(line) of \(ignoreFileName) drops it: `\(pattern)`"
    }

    private func node(_ path: ContainerPath, _ status: FileStatus, isImplicit: Bool) throws -> SourceNode? {
        let kind: TreeEntry.Kind
        switch status.kind {
        case .file: kind = .file(size: status.size)
        case .directory: kind = .directory(opaque: false)
        case .symlink: kind = .symlink(target: try directory.readLink(path))
        case .characterDevice:
            // Overlay file systems take such a device for the mark that a name is gone.
            if status.deviceMajor == 0, status.deviceMinor == 0 { throw CopyError.whiteoutDevice(path) }
            kind = .characterDevice(major: status.deviceMajor, minor: status.deviceMinor)
        case .blockDevice: kind = .blockDevice(major: status.deviceMajor, minor: status.deviceMinor)
        case .fifo: kind = .fifo
        case .socket: return nil
        }
        let entry = TreeEntry(
            path: path,
            kind: kind,
            mode: status.mode,
            uid: 0,
            gid: 0,
            modified: status.modified.seconds
        )
        let isShared = status.linkCount > 1 && status.kind == .file
        return SourceNode(
            entry: entry,
            identity: isShared ? SourceNode.Identity(first: status.device, second: status.inode, path: nil) : nil,
            isImplicit: isImplicit,
            status: FileKey(status),
            isForeign: status.uid != 0 || status.gid != 0
        )
    }

    /// Whether something of this kind is only there for what is below it; `nil` where the ignore file drops it.
    ///
    /// Where the kind is not known, it is taken for a directory.
    private func isImplicit(_ path: ContainerPath, _ kind: FileKind?, _ verdict: IgnoreRules.Verdict) -> Bool? {
        guard verdict.ignored else { return false }
        guard kind == .directory || kind == nil, rules?.mayContainExceptions(below: path.bytes) == true else {
            return nil
        }
        return true
    }

    func node(_ path: ContainerPath) throws -> SourceNode? {
        guard let status = try directory.status(path),
            let isImplicit = isImplicit(path, status.kind, verdict(path))
        else { return nil }
        return try node(path, status, isImplicit: isImplicit)
    }

    func children(_ path: ContainerPath) throws -> [SourceNode] {
        var result: [SourceNode] = []
        try forEachVisible(in: path) { name, status, isImplicit in
            let child = path.child(name.bytes)
            if let node = try node(child, status, isImplicit: isImplicit) { result.append(node) }
        }
        return result
    }

    /// The same in less memory.
    func compactListing(_ path: ContainerPath) throws -> CompactListing {
        var listing = CompactListing(of: path)
        try forEachVisible(in: path) { name, status, isImplicit in
            // The rest is rare.
            guard status.kind == .file || status.kind == .directory else {
                if let node = try node(path.child(name.bytes), status, isImplicit: isImplicit) {
                    listing.add(name.bytes, status, CompactListing.Extra(node.entry.kind))
                    try listing.checkSize()
                }
                return
            }
            listing.add(name.bytes, status, isImplicit: isImplicit)
            try listing.checkSize()
        }
        listing.finish()
        return listing
    }

    /// Calls `body` with what is in a directory and not dropped by the ignore file.
    ///
    /// What the directory itself says is no directory, and the ignore file drops, the kernel is not asked about.
    private func forEachVisible(
        in path: ContainerPath,
        _ body: (DirectoryName, FileStatus, _ isImplicit: Bool) throws -> Void
    ) throws {
        let rules = isFiltered ? rules : nil
        let parent = rules == nil ? .included : verdict(path)
        try directory.forEachName(in: path) { name in
            var isOnTheWay = false
            if let rules {
                let child = path.child(name.bytes)
                let verdict = rules.verdict(for: child.bytes, parent: parent)
                guard let isImplicit = isImplicit(child, name.kind, verdict) else { return }
                isOnTheWay = isImplicit
            }
            guard let status = try name.status(), !isOnTheWay || status.kind == .directory else { return }
            try body(name, status, isOnTheWay)
        }
    }

    /// The file as it was when its digest became part of the key: a layer must be what its key says.
    func content(_ node: SourceNode) throws -> ContentSource {
        guard let key = node.status else { return .file(directory, node.entry.path) }
        return content(node.entry.path, key)
    }

    func content(_ path: ContainerPath, _ key: FileKey) -> ContentSource {
        key.size == 0 ? .none : .file(directory, path, version: key.version)
    }

    func digest(_ node: SourceNode) throws -> Digest {
        try hashes.digest(of: node, in: directory)
    }

    func knownDigest(_ node: SourceNode) -> Digest? { node.status.flatMap(hashes.knownDigest) }

    /// The digest of a file that is known without reading it.
    func knownDigest(_ key: FileKey) -> Digest? { hashes.knownDigest(of: key) }

    /// Keeps a digest for later builds, of a file that was read after `time`.
    func learn(_ digest: Digest, of node: SourceNode, at time: Int64) {
        if let status = node.status { hashes.learn(digest, of: status, at: time) }
    }

    var isListedByKernel: Bool { true }
}
