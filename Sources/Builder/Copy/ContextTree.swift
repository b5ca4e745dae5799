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

    private func node(
        _ path: ContainerPath,
        _ status: FileStatus,
        _ verdict: IgnoreRules.Verdict
    ) throws -> SourceNode? {
        let isIgnored = verdict.ignored
        if isIgnored {
            guard status.kind == .directory, rules?.mayContainExceptions(below: path.bytes) == true else { return nil }
        }
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
            isImplicit: isIgnored,
            status: status
        )
    }

    func node(_ path: ContainerPath) throws -> SourceNode? {
        guard let status = try directory.status(path) else { return nil }
        return try node(path, status, verdict(path))
    }

    func children(_ path: ContainerPath) throws -> [SourceNode] {
        let parent = verdict(path)
        var result: [SourceNode] = []
        for item in try directory.list(path) {
            let child = path.child(item.name)
            let verdict = rules?.verdict(for: child.bytes, parent: parent) ?? .included
            if let node = try node(child, item.status, verdict) { result.append(node) }
        }
        return result
    }

    /// The file as it was when its digest became part of the key: a layer must be what its key says.
    func content(_ node: SourceNode) throws -> ContentSource {
        if node.status?.size == 0 { return .none }
        return .file(directory, node.entry.path, version: node.status.map(FileVersion.init))
    }

    func digest(_ node: SourceNode) throws -> Digest {
        try hashes.digest(of: node, in: directory)
    }

    func knownDigest(_ node: SourceNode) -> Digest? { node.status.flatMap(hashes.knownDigest) }

    /// Keeps a digest for later builds, of a file that was read after `time`.
    func learn(_ digest: Digest, of node: SourceNode, at time: Int64) {
        if let status = node.status { hashes.learn(digest, of: status, at: time) }
    }

    var isListedByKernel: Bool { true }
}
