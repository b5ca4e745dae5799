import LayerDiff
import OCI

/// What a selection comes to as a part of a step's key.
struct SelectionDigest {
    /// A file that is named where a later step is not in the cache.
    struct KeptFile {
        var path: ContainerPath
        var mode: UInt16
        var digest: Digest

        /// The beginning of the digest, mode and path.
        var line: String {
            var line = digest.shortHex
            line += " "
            line += String(mode, radix: 8)
            line += " "
            line += path.description
            return line
        }
    }

    /// The digest of all that matters to the step.
    var digest: Digest
    /// The files, as far as they are kept for the explanation of a later miss.
    var files: [KeptFile] = []
}

extension Selection {
    /// The digest of what was selected, as far as it matters to the step: names, kinds, modes, owners, contents.
    ///
    /// Times do not count: a file that was only touched is the same file.
    ///
    /// What was `read` meanwhile, and when that began, saves reading it again.
    func digest(
        owner: String?,
        mode: String?,
        read: (digests: [ContainerPath: Digest], at: Int64)? = nil
    ) throws -> SelectionDigest {
        if let read { learn(read.digests, at: read.at) }
        var contents = try contentDigests(read?.digests ?? [:]).makeIterator()
        var fields = FieldHasher(domain: "selection")
        fields.add(needsDirectory ? 1 : 0)
        fields.add(makesDestination ? 1 : 0)
        fields.add(groups.count)
        let modesMatter = mode.flatMap(ModeChange.init(parsing:))?.isRelative ?? true
        var hasher = SelectionHasher(fields: fields, modesMatter: modesMatter, ownersMatter: owner == nil)
        for group in groups {
            hasher.begin(group)
            switch group.items.storage {
            case .listed(let items): try hasher.add(items, read: read?.digests ?? [:])
            case .list(let items):
                for item in items {
                    let content = contents.next() ?? nil
                    try hasher.add(item) { try content ?? trees[item.tree].digest(item.node) }
                }
            }
        }
        return SelectionDigest(digest: hasher.fields.finalize(), files: hasher.files)
    }

    private func learn(_ digests: [ContainerPath: Digest], at time: Int64) {
        guard let tree = trees.first as? ContextTree else { return }
        for item in groups.lazy.flatMap(\.items) where item.tree == 0 {
            if let digest = digests[item.node.entry.path] { tree.learn(digest, of: item.node, at: time) }
        }
    }

    /// The digests of all items in lists that are files, in order; `nil` for others, and for further names of a file.
    ///
    /// Those that are not known are read, on two threads where there are many.
    private func contentDigests(_ read: [ContainerPath: Digest]) throws -> [Digest?] {
        var digests: [Digest?] = []
        var unknown: [(position: Int, item: Item)] = []
        var seen: Set<SourceNode.Identity> = []
        for group in groups {
            guard case .list(let items) = group.items.storage else { continue }
            for item in items {
                var known: Digest?
                if case .file = item.node.entry.kind, item.node.identity.map({ seen.insert($0).inserted }) ?? true {
                    known = trees[item.tree].knownDigest(item.node)
                    if known == nil, item.tree == 0 { known = read[item.node.entry.path] }
                    if known == nil { unknown.append((digests.count, item)) }
                }
                digests.append(known)
            }
        }
        let places = unknown
        let read = try inParallel(places.count, threads: places.count < 16 ? 1 : 2) { number in
            let item = places[number].item
            return try trees[item.tree].digest(item.node)
        }
        for (place, digest) in zip(places, read) { digests[place.position] = digest }
        return digests
    }
}

extension FieldHasher {
    /// Adds what a node is; the digest of a regular file's content has to follow.
    mutating func add(kind: TreeEntry.Kind) {
        switch kind {
        case .file: add("file")
        case .directory: add("directory")
        case .symlink(let target):
            add("symlink")
            add(target)
        case .hardLink(let target):
            add("hardlink")
            add(target.bytes)
        case .characterDevice(let major, let minor):
            add("character")
            add(Int(major))
            add(Int(minor))
        case .blockDevice(let major, let minor):
            add("block")
            add(Int(major))
            add(Int(minor))
        case .fifo: add("fifo")
        case .whiteout: add("whiteout")
        }
    }
}
