import LayerDiff
import OCI

/// Puts a selection at its destination: the entries of the layer that a COPY or ADD leaves.
struct CopyLayer {
    private let step: CopyStep
    /// The file system that is copied onto; `nil` with `--link`, where the layer stands alone.
    private let stack: LayerStack?
    private let owner: (uid: UInt32, gid: UInt32)?
    private let mode: ModeChange?
    /// The modification time of directories that the step makes.
    private let now: Int64
    private var placed: [LayerEntry] = []
    /// Where in `placed` each path is: entries are large, and a table of them would be larger still.
    private var positions: [ContainerPath: Int32] = [:]
    /// Of which file an entry is a name, where it has others.
    private var links: [Int32: Link] = [:]
    /// The number of the source that is being placed.
    private var group = 0
    /// The mode of the directories that are made on the way to what is being placed.
    private var impliedMode: UInt16 = 0o755
    /// A directory that this layer makes: beneath it there is nothing but what was placed.
    private var newDirectory: ContainerPath?
    /// The directory that was last seen to be listed: what is placed comes directory by directory.
    private var lastParent: ContainerPath?

    /// Names of one file stay names of one file within what one source selected.
    private struct Link: Hashable {
        var group: Int
        var identity: SourceNode.Identity
    }

    init(step: CopyStep, stack: LayerStack?, owner: (uid: UInt32, gid: UInt32)?, now: Int64) {
        self.step = step
        self.stack = stack
        self.owner = owner
        self.now = now
        mode = step.mode.flatMap(ModeChange.init(parsing:))
        if stack == nil { newDirectory = .root }
    }

    /// The layer's entries in byte order.
    static func entries(
        of selection: Selection,
        step: CopyStep,
        onto stack: LayerStack?,
        owner: (uid: UInt32, gid: UInt32)?,
        now: Int64
    ) throws -> LayerEntries {
        var layer = CopyLayer(step: step, stack: stack, owner: owner, now: now)
        if selection.groups.count == 1, case .listed(let items)? = selection.groups.first?.items.storage,
            selection.groups.first?.form == .directory,
            let entries = try layer.entriesWhereNothingIs(items)
        {
            return entries
        }
        layer = CopyLayer(step: step, stack: stack, owner: owner, now: now)
        // Growing by doubling would take twice the memory for a moment, of what is most of a large layer's.
        let count = selection.groups.reduce(0) { $0 + $1.items.count }
        layer.placed.reserveCapacity(count)
        layer.positions.reserveCapacity(count)
        try layer.place(selection)
        return LayerEntries(layer.finish())
    }

    /// The entries of a directory's contents where the destination holds nothing; `nil` where it does.
    ///
    /// Then nothing can be in the way, no link can lead elsewhere, and each entry has its place by its path alone.
    private mutating func entriesWhereNothingIs(_ items: ListedItems) throws -> LayerEntries? {
        let destination = try resolve(ContainerPath(step.destination))
        impliedMode = impliedMode(for: .directory)
        try placeTop(items.top.entry, at: destination)
        let isNew = newDirectory.map { $0 == destination || $0.isAncestor(of: destination) } ?? false
        guard isNew || stack?.children(of: destination).isEmpty ?? true else { return nil }
        let layer = ListedLayer(items, below: finish(), at: destination, owner: owner, mode: mode)
        return LayerEntries(from: layer)
    }

    // MARK: What is there

    private func existing(_ path: ContainerPath) -> TreeEntry? {
        if let entry = placedEntry(path) { return entry }
        if let newDirectory, newDirectory.isAncestor(of: path) { return nil }
        // What was placed in the way of a directory hides what is below that.
        var ancestor = path.parent
        while let current = ancestor {
            if let entry = placedEntry(current), !entry.isDirectory { return nil }
            ancestor = current.parent
        }
        return stack?.lookup(path)?.entry
    }

    private func placedEntry(_ path: ContainerPath) -> TreeEntry? { positions[path].map { placed[Int($0)].entry } }

    private mutating func put(_ entry: LayerEntry, link: Link? = nil) {
        let path = entry.entry.path
        if !entry.entry.isDirectory, placedEntry(path)?.isDirectory == true { removePlaced(beneath: path) }
        let position = positions[path] ?? Int32(placed.count)
        if Int(position) < placed.count {
            placed[Int(position)] = entry
        } else {
            placed.append(entry)
            positions[path] = position
        }
        links[position] = link
    }

    /// What was placed in a directory goes with it.
    private mutating func removePlaced(beneath path: ContainerPath) {
        if let parent = lastParent, parent == path || path.isAncestor(of: parent) { lastParent = nil }
        let kept = placed.indices.filter { !path.isAncestor(of: placed[$0].entry.path) }
        guard kept.count < placed.count else { return }
        var moved: [Int32: Link] = [:]
        for (new, old) in kept.enumerated() { moved[Int32(new)] = links[Int32(old)] }
        links = moved
        placed = kept.map { placed[$0] }
        positions = [:]
        for (number, entry) in placed.enumerated() { positions[entry.entry.path] = Int32(number) }
    }

    /// Follows links of what is there and of what was placed.
    private func resolve(_ path: ContainerPath) throws -> ContainerPath {
        var result = path
        for _ in 0..<40 {
            let resolved = try stack?.resolve(result, followLast: true) ?? result
            guard let link = firstPlacedLink(of: resolved) else { return resolved }
            result = link
        }
        throw CopyError.tooManyLinks(path)
    }

    private func firstPlacedLink(of path: ContainerPath) -> ContainerPath? {
        guard step.link == false else { return nil }
        var current = ContainerPath.root
        for (position, component) in path.components.enumerated() {
            current = current.appending(component)
            guard case .symlink(let target)? = placedEntry(current)?.kind else { continue }
            let rest = path.components.dropFirst(position + 1).joined(separator: [0x2F])
            let base = target.first == 0x2F ? [] : (current.parent ?? .root).bytes
            return ContainerPath(cleaning: base + [0x2F] + target + [0x2F] + rest)
        }
        return nil
    }

    private func isDirectory(_ path: ContainerPath) -> Bool {
        path.isRoot || existing(path)?.isDirectory == true
    }

    // MARK: Placing

    private mutating func place(_ selection: Selection) throws {
        let destination = try resolve(ContainerPath(step.destination))
        let isDirectoryName = step.destination.hasSuffix("/") || selection.needsDirectory
        for group in selection.groups {
            self.group += 1
            impliedMode = impliedMode(for: group.form)
            switch group.form {
            case .file:
                guard let item = group.items.first else { continue }
                let intoDirectory = isDirectoryName || isDirectory(destination)
                let target = intoDirectory ? destination.appending(item.relative.bytes) : destination
                try makeParents(of: target)
                try place(item, at: target, from: selection, replacing: false)
            case .directory, .archive:
                try placeTree(group, at: destination, from: selection)
            case .tree:
                try makeDirectory(destination)
                try placeTree(group, at: destination, from: selection)
            }
        }
        if selection.groups.isEmpty, selection.makesDestination { try makeDirectory(destination) }
    }

    private mutating func placeTree(
        _ group: Selection.Group,
        at destination: ContainerPath,
        from selection: Selection
    ) throws {
        let replaces = group.form == .archive
        if replaces { try makeDirectory(destination) }
        // Where each directory of the source went: a link to a directory leads its contents elsewhere.
        var places: [ContainerPath: ContainerPath] = [.root: destination]
        var last: (source: ContainerPath, place: ContainerPath)?
        for item in group.items.inWalkOrder {
            guard let parent = item.relative.parent else {
                try placeTop(item.node.entry, at: destination)
                continue
            }
            let directory =
                if let last, last.source == parent {
                    last.place
                } else {
                    try places[parent] ?? makePlace(parent, below: destination, &places)
                }
            last = (parent, directory)
            let target = directory.child(Array(item.relative.name))
            if item.node.entry.isDirectory {
                if case .symlink? = existing(target)?.kind, !step.link {
                    let resolved = try resolve(target)
                    if isDirectory(resolved) {
                        places[item.relative] = resolved
                        continue
                    }
                }
                places[item.relative] = target
            }
            try makeParents(of: target)
            try place(item, at: target, from: selection, replacing: replaces)
        }
    }

    /// The place of a directory that no item stands for.
    private mutating func makePlace(
        _ relative: ContainerPath,
        below destination: ContainerPath,
        _ places: inout [ContainerPath: ContainerPath]
    ) throws -> ContainerPath {
        let target = try resolve(destination.appending(relative.bytes))
        try makeDirectory(target)
        places[relative] = target
        return target
    }

    /// The copied directory itself: one that is there keeps its attributes, a new one is made like any other parent,
    /// with the time of the source.
    private mutating func placeTop(_ source: TreeEntry, at target: ContainerPath) throws {
        guard !isDirectory(target) else {
            try makeParents(of: target)
            try keep(target)
            return
        }
        if existing(target) != nil { throw CopyError.fileInTheWay(target) }
        try makeDirectory(target)
        guard let position = positions[target].map(Int.init) else { return }
        placed[position].entry.modified = source.modified
        if let mode { placed[position].entry.mode = mode.applied(to: placed[position].entry.mode, isDirectory: true) }
    }

    private mutating func place(
        _ item: Selection.Item,
        at target: ContainerPath,
        from selection: Selection,
        replacing: Bool
    ) throws {
        guard !target.isRoot else { return }
        let old = existing(target)
        if !replacing, let old, !step.link {
            if item.node.entry.isDirectory {
                if !old.isDirectory, !isReplaceable(old) { throw CopyError.fileInTheWay(target) }
            } else if old.isDirectory {
                throw CopyError.directoryInTheWay(target)
            }
        }
        var entry = item.node.entry
        entry.path = target
        apply(to: &entry)
        let content: ContentSource =
            if case .file = entry.kind { try selection.trees[item.tree].content(item.node) } else { .none }
        let link = item.node.identity.map { Link(group: group, identity: $0) }
        put(LayerEntry(entry: entry, content: content), link: link)
    }

    /// A link gives way to a directory; anything else is the user's to remove.
    private func isReplaceable(_ entry: TreeEntry) -> Bool {
        if case .symlink = entry.kind { true } else { false }
    }

    private func apply(to entry: inout TreeEntry) {
        if let owner {
            entry.uid = owner.uid
            entry.gid = owner.gid
        }
        if case .symlink = entry.kind { return }
        if let mode { entry.mode = mode.applied(to: entry.mode, isDirectory: entry.isDirectory) }
    }

    // MARK: Directories on the way

    /// An octal `--chmod` is for these too, a symbolic one has no mode to change; an archive brings its own.
    private func impliedMode(for form: Selection.Group.Form) -> UInt16 {
        guard form != .archive, case .absolute(let mode)? = mode else { return 0o755 }
        return mode & 0o777
    }

    private mutating func makeParents(of path: ContainerPath) throws {
        guard let parent = path.parent, !parent.isRoot, parent != lastParent else { return }
        try makeDirectory(parent)
        lastParent = parent
    }

    /// Lists a directory and those above it: as they are where they exist, new ones otherwise.
    private mutating func makeDirectory(_ path: ContainerPath) throws {
        guard !path.isRoot else { return }
        if let entry = placedEntry(path), entry.isDirectory { return }
        try makeParents(of: path)
        if isDirectory(path) {
            try keep(path)
            return
        }
        let old = existing(path)
        if let old, !isReplaceable(old), !step.link { throw CopyError.fileInTheWay(path) }
        if old == nil, newDirectory?.isAncestor(of: path) != true { newDirectory = path }
        let entry = TreeEntry(
            path: path,
            kind: .directory(opaque: false),
            mode: impliedMode,
            uid: owner?.uid ?? 0,
            gid: owner?.gid ?? 0,
            modified: now
        )
        put(LayerEntry(entry: entry, content: .none))
    }

    /// Lists a directory that is there, unchanged: a layer names the parents of all that it holds.
    private mutating func keep(_ path: ContainerPath) throws {
        guard positions[path] == nil, var entry = existing(path), !path.isRoot else { return }
        entry.path = path
        entry.kind = .directory(opaque: false)
        put(LayerEntry(entry: entry, content: .none))
    }

    // MARK: The result

    /// In byte order; further names of one file become hard links to the first.
    private mutating func finish() -> [LayerEntry] {
        var entries: [LayerEntry] = []
        swap(&entries, &placed)
        positions = [:]
        if !links.isEmpty { Self.link(&entries, links) }
        // In its place: the list may be long, and is mostly in order.
        entries.sort { $0.entry.path < $1.entry.path }
        return entries
    }

    private static func link(_ entries: inout [LayerEntry], _ links: [Int32: Link]) {
        var first: [Link: ContainerPath] = [:]
        for position in links.keys.map(Int.init).sorted(by: { entries[$0].entry.path < entries[$1].entry.path }) {
            guard let link = links[Int32(position)] else { continue }
            if let target = first[link] {
                entries[position].entry.kind = .hardLink(target: target)
                entries[position].content = .none
            } else {
                first[link] = entries[position].entry.path
            }
        }
    }
}
