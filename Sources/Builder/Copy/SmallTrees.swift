import LayerDiff
import OCI

/// Here-documents as files.
struct InlineTree: SourceTree {
    let files: [(name: String, content: [UInt8])]
    let now: Int64

    func node(_ path: ContainerPath) throws -> SourceNode? {
        guard let file = files.first(where: { ContainerPath(cleaning: $0.name.utf8) == path }) else { return nil }
        let kind = TreeEntry.Kind.file(size: Int64(file.content.count))
        return SourceNode(entry: TreeEntry(path: path, kind: kind, mode: 0o644, uid: 0, gid: 0, modified: now))
    }

    func children(_ path: ContainerPath) throws -> [SourceNode] { [] }

    func content(_ node: SourceNode) throws -> ContentSource {
        .bytes(files.first { ContainerPath(cleaning: $0.name.utf8) == node.entry.path }?.content ?? [])
    }

    func digest(_ node: SourceNode) throws -> Digest {
        Digest(of: files.first { ContainerPath(cleaning: $0.name.utf8) == node.entry.path }?.content ?? [])
    }
}

/// One downloaded file under the name that its URL gives it.
struct DownloadTree: SourceTree {
    let directory: Directory
    let name: String
    let file: FetchedFile

    func node(_ path: ContainerPath) throws -> SourceNode? {
        guard path == ContainerPath(cleaning: name.utf8) else { return nil }
        let entry = TreeEntry(
            path: path,
            kind: .file(size: file.size),
            mode: 0o600,
            uid: 0,
            gid: 0,
            modified: file.modified
        )
        return SourceNode(entry: entry)
    }

    func children(_ path: ContainerPath) throws -> [SourceNode] { [] }

    func content(_ node: SourceNode) throws -> ContentSource { .file(directory, ContainerPath("file")) }

    func digest(_ node: SourceNode) throws -> Digest { file.digest }
}

/// An archive's members, unpacked into a scratch directory.
struct ArchiveTree: SourceTree {
    let nodes: [SourceNode]
    private let contents: [ContainerPath: ContentSource]

    /// Directories that the archive only implies are left out: what is there in their place stays as it is.
    init(_ archive: ExtractedArchive) {
        let implied = Set(archive.impliedDirectories)
        let members = archive.entries.filter { !implied.contains($0.entry.path) }
        var contents: [ContainerPath: ContentSource] = [:]
        var targets: [ContainerPath: TreeEntry] = [:]
        nodes = members.compactMap { member in
            guard !member.entry.path.isRoot else { return nil }
            var node = SourceNode(entry: member.entry)
            if case .hardLink(let target) = member.entry.kind {
                // A hard link stands for its target's file under a second name.
                guard let first = targets[target] else { return nil }
                node.entry.kind = first.kind
                contents[member.entry.path] = contents[target]
                node.identity = SourceNode.Identity(first: 0, second: 0, path: target)
            } else {
                targets[member.entry.path] = member.entry
                contents[member.entry.path] = member.content
                if case .file = member.entry.kind {
                    node.identity = SourceNode.Identity(first: 0, second: 0, path: member.entry.path)
                }
            }
            return node
        }
        self.contents = contents
    }

    func node(_ path: ContainerPath) throws -> SourceNode? { nodes.first { $0.entry.path == path } }

    func children(_ path: ContainerPath) throws -> [SourceNode] {
        nodes.filter { $0.entry.path.parent == path }
    }

    func content(_ node: SourceNode) throws -> ContentSource { contents[node.entry.path] ?? .none }

    func digest(_ node: SourceNode) throws -> Digest {
        guard case .file(let directory, let path, _) = try content(node) else { return Digest(of: []) }
        return try contentDigest(directory, path)
    }
}
