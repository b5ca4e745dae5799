import BuildFileParser
import LayerDiff
import OCI

/// What a COPY or ADD takes: computed once for the key, and used again where the step has to run.
struct Selection {
    /// A file or directory with its place relative to the destination.
    struct Item {
        var relative: ContainerPath
        var node: SourceNode
        /// The tree that has the content.
        var tree: Int
    }

    /// What one source came to.
    struct Group {
        /// How the items meet what the destination has.
        enum Form: Sendable, Hashable {
            /// One file: `relative` is its name, used where the destination is a directory.
            case file
            /// A directory's contents: the first item is the directory itself, with an empty `relative`.
            case directory
            /// With `--parents`: items below the destination, their directories included.
            case tree
            /// An archive's members: they replace what is in their way.
            case archive
        }

        var form: Form
        var items: [Item]
    }

    var groups: [Group] = []
    var trees: [any SourceTree] = []
    /// Whether the destination must be a directory, whatever it looks like.
    var needsDirectory = false
    /// Whether a destination directory is made even where nothing was selected.
    var makesDestination = false
}

/// Finds what the sources of a COPY or ADD select.
struct Selector {
    let step: CopyStep
    let tree: any SourceTree
    /// How messages call the tree.
    let place: String
    private let excludes: IgnoreRules?

    init(step: CopyStep, tree: any SourceTree, place: String) throws {
        self.step = step
        self.tree = tree
        self.place = place
        excludes = step.excludes.isEmpty ? nil : try IgnoreRules(patterns: step.excludes)
    }

    /// What a path or pattern of the step selects, added to `selection` as items of tree number `index`.
    func select(_ text: String, into selection: inout Selection, tree index: Int) throws {
        let pattern = try SourcePattern(text, parents: step.parents)
        let matches = try tree.matches(pattern)
        var found = 0
        for match in matches {
            guard let node = try target(of: match.path, isWildcard: pattern.hasWildcards, text: text) else { continue }
            found += 1
            if step.parents {
                try selectWithParents(match, node, into: &selection, tree: index)
            } else if node.entry.isDirectory {
                try selectDirectory(node, below: .root, form: .directory, into: &selection, tree: index)
            } else if !isExcluded(ContainerPath(cleaning: match.path.name)) {
                let item = Selection.Item(relative: ContainerPath(cleaning: match.path.name), node: node, tree: index)
                selection.groups.append(Selection.Group(form: .file, items: [item]))
            }
        }
        if found > 1 { selection.needsDirectory = true }
        if step.parents { selection.makesDestination = true }
    }

    /// The node at a matched path, links followed; `nil` where a wildcard matched what cannot be copied.
    private func target(of path: ContainerPath, isWildcard: Bool, text: String) throws -> SourceNode? {
        let resolved = try tree.resolve(path, followLast: true)
        if let node = try tree.node(resolved) { return node }
        let isThere = try tree.node(tree.resolve(path, followLast: false)) != nil
        if isWildcard, !isThere { return nil }
        if isThere { throw CopyError.dangling(text, in: place) }
        throw CopyError.missing(text, in: place, hints: try SourceHints(tree: tree).hints(for: path, writtenAs: text))
    }

    private func isExcluded(_ path: ContainerPath) -> Bool {
        guard let excludes else { return false }
        return excludes.verdict(for: path.bytes).ignored
    }

    private func selectDirectory(
        _ directory: SourceNode,
        below prefix: ContainerPath,
        form: Selection.Group.Form,
        into selection: inout Selection,
        tree index: Int
    ) throws {
        let root = directory.entry.path
        var items: [Selection.Item] = []
        // The directory itself is named: an ignore file that lets only parts of it through does not drop it.
        var start = directory
        start.isImplicit = false
        try tree.walk(start) { node in
            let below = ContainerPath(cleaning: node.entry.path.bytes.dropFirst(root.bytes.count))
            let relative = prefix.appending(below.bytes)
            guard below.isRoot || !isExcluded(relative) else { return }
            items.append(Selection.Item(relative: relative, node: node, tree: index))
        }
        selection.groups.append(Selection.Group(form: form, items: items))
    }

    private func selectWithParents(
        _ match: SourceMatch,
        _ node: SourceNode,
        into selection: inout Selection,
        tree index: Int
    ) throws {
        let kept = match.path.components.dropFirst(match.pivot)
        var items: [Selection.Item] = []
        var source = ContainerPath(cleaning: match.path.components.prefix(match.pivot).joined(separator: [0x2F]))
        var relative = ContainerPath.root
        for component in kept.dropLast() {
            source = source.appending(component)
            relative = relative.appending(component)
            let resolved = try tree.resolve(source, followLast: true)
            if let parent = try tree.node(resolved) {
                items.append(Selection.Item(relative: relative, node: parent, tree: index))
            }
        }
        let place = kept.last.map { relative.appending($0) } ?? relative
        guard !isExcluded(place) else { return }
        if node.entry.isDirectory {
            selection.groups.append(Selection.Group(form: .tree, items: items))
            try selectDirectory(node, below: place, form: .tree, into: &selection, tree: index)
        } else {
            items.append(Selection.Item(relative: place, node: node, tree: index))
            selection.groups.append(Selection.Group(form: .tree, items: items))
        }
    }
}

extension Selection {
    private static let keptFiles = 10_000

    /// The digest of what was selected, as far as it matters to the step: names, kinds, modes, owners, contents.
    ///
    /// Times do not count: a file that was only touched is the same file.
    /// With it, the files and their digests as far as they are kept for the explanation of a later miss.
    func digest(owner: String?, mode: String?) throws -> (digest: Digest, files: [String]) {
        var fields = FieldHasher(domain: "selection")
        var files: [String] = []
        let modesMatter = mode.flatMap(ModeChange.init(parsing:))?.isRelative ?? true
        var seen: [SourceNode.Identity: Int] = [:]
        fields.add(needsDirectory ? 1 : 0)
        fields.add(makesDestination ? 1 : 0)
        fields.add(groups.count)
        for group in groups {
            fields.add("\(group.form)")
            fields.add(group.items.count)
            for item in group.items {
                let entry = item.node.entry
                fields.add(item.relative.bytes)
                if modesMatter { fields.add(Int(entry.mode)) }
                if owner == nil {
                    fields.add(Int(entry.uid))
                    fields.add(Int(entry.gid))
                }
                fields.add(entry.attributes.count)
                for attribute in entry.attributes {
                    fields.add(attribute.name)
                    fields.add(attribute.value)
                }
                if let identity = item.node.identity {
                    if let first = seen[identity] {
                        fields.add("link")
                        fields.add(first)
                        continue
                    }
                    seen[identity] = seen.count
                }
                try fields.add(kind: entry.kind) {
                    let digest = try trees[item.tree].digest(item.node)
                    if files.count < Self.keptFiles {
                        files.append("\(digest.hex.prefix(16)) \(String(entry.mode, radix: 8)) \(entry.path)")
                    }
                    return digest
                }
            }
        }
        return (fields.finalize(), files)
    }
}

extension Selection {
    /// Looks again at the files of contexts: one that was changed since its digest was taken is not what the key says.
    func checkUnchanged() throws {
        for group in groups {
            for item in group.items {
                guard let before = item.node.status, before.kind == .file else { continue }
                let now = try trees[item.tree].node(item.node.entry.path)?.status
                guard before.inode == now?.inode, before.size == now?.size, before.modified == now?.modified,
                    before.changed == now?.changed
                else { throw CopyError.changed(item.node.entry.path) }
            }
        }
    }
}

extension FieldHasher {
    /// Adds what a node is, with the digest of its content where it is a file.
    mutating func add(kind: TreeEntry.Kind, content: () throws -> Digest) rethrows {
        switch kind {
        case .file:
            add("file")
            add(try content().hex)
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
