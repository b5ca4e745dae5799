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
        var items: SelectedItems
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
        if excludes == nil, let context = tree as? ContextTree {
            var top = directory
            top.isImplicit = false
            let files = try ListedWalk.files(below: root, of: context)
            let items = ListedItems(tree: context, treeNumber: index, top: top, files: files, prefix: prefix)
            selection.groups.append(Selection.Group(form: form, items: SelectedItems(items)))
            return
        }
        var items: [Selection.Item] = []
        // The directory itself is named: an ignore file that lets only parts of it through does not drop it.
        var start = directory
        start.isImplicit = false
        try tree.walk(start) { node in
            let below = node.entry.path.dropping(root)
            let relative = prefix.appending(below)
            guard below.isRoot || !isExcluded(relative) else { return }
            items.append(Selection.Item(relative: relative, node: node, tree: index))
        }
        selection.groups.append(Selection.Group(form: form, items: SelectedItems(items)))
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
            selection.groups.append(Selection.Group(form: .tree, items: SelectedItems(items)))
            try selectDirectory(node, below: place, form: .tree, into: &selection, tree: index)
        } else {
            items.append(Selection.Item(relative: place, node: node, tree: index))
            selection.groups.append(Selection.Group(form: .tree, items: SelectedItems(items)))
        }
    }
}
