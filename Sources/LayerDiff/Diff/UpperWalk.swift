/// The walk through an upper directory that collects what changed.
struct UpperWalk {
    let upper: Directory
    let lower: LayerStack
    /// How the overlay that made the directory was mounted.
    private let form: OverlayForm
    /// What is known of owners, where marks say whose files are.
    private let owners: StepOwners
    /// The group that new files take over from a set-group-ID directory, which the kernel could not give them.
    private var groupOfNew: UInt32?
    private(set) var changes: [Change] = []
    /// The bytes of files that are as they were below, but for owner and mode.
    private(set) var rewrittenBytes: Int64 = 0

    init(upper: Directory, lower: LayerStack, form: OverlayForm, owners: StepOwners) {
        self.upper = upper
        self.lower = lower
        self.form = form
        self.owners = owners
    }

    mutating func run() throws(LayerError) {
        try collect(in: upper, .root, below: lower.layers.isEmpty ? nil : lower.rootView)
        let status = try file { () throws(FileError) in try upper.status(.root) }
        guard let status else { return }
        let before = lower.rootFound.entry
        var root = before
        root.kind = .directory(opaque: false)
        root.mode = status.mode
        var all: [ExtendedAttribute] = []
        if form.marksOwners { all = try file { () throws(FileError) in try upper.extendedAttributes(.root) } }
        let owner = owner(OwnerMark.owner(in: all), status, before: before)
        root.uid = owner.uid
        root.gid = owner.gid
        guard root.mode != before.mode || root.uid != before.uid || root.gid != before.gid else { return }
        root.modified = status.modified.seconds
        append(root, isUnchanged: false)
    }

    /// Collects what `directory` holds, which is at `path`; `below` is what shows there in the layers below.
    ///
    /// Answers whether anything in it is listed for sure.
    @discardableResult
    private mutating func collect(
        in directory: Directory,
        _ path: ContainerPath,
        below: LayerStack.View?
    ) throws(LayerError) -> Bool {
        var isAnyListed = false
        for item in try file({ () throws(FileError) in try directory.list(.root) }) {
            let child = ContainerPath(parent: path, name: item.name)
            let found = below.flatMap { lower.child(child, in: $0) }
            let node = UpperNode(path: child, name: item.name, status: item.status, directory: directory)
            if try visit(node, found: found, below: below) { isAnyListed = true }
        }
        return isAnyListed
    }

    /// Collects one name of the upper directory: whether it is listed for sure.
    private mutating func visit(
        _ node: UpperNode,
        found: LayerStack.Found?,
        below: LayerStack.View?
    ) throws(LayerError) -> Bool {
        let status = node.status
        if status.kind == .socket { return false }
        if status.kind == .characterDevice && status.deviceMajor == 0 && status.deviceMinor == 0 {
            return whiteout(node.path, found)
        }
        let all = try file { () throws(FileError) in try node.directory.extendedAttributes(named: node.name) }
        var marks = try OverlayMarks(all, form, on: node)
        if form.marksOwners { marks.owner = marks.owner ?? owners.record(of: node) }
        if marks.isWhiteout && status.kind == .file && status.size == 0 { return whiteout(node.path, found) }
        if status.kind == .directory {
            return try directory(node, marks, found: found, below: below)
        }
        guard var entry = try node.entry(attributes: marks.others) else { return false }
        if let device = marks.device, status.kind == .file { entry.kind = device }
        let isOfSameKind = found.map { Self.haveSameKind($0.entry.kind, entry.kind) } ?? false
        setOwner(of: &entry, marks, status, before: isOfSameKind ? found?.entry : nil)
        let isUnchanged = try found.map { (below) throws(LayerError) in try isSame(entry, node, as: below) } ?? false
        let hasMoreNames = status.linkCount > 1
        // Also where it has got a further name: the layer then holds that name alone, as other builders have it.
        if isUnchanged { return false }
        if let before = found?.entry { countRewritten(entry, before) }
        append(entry, isUnchanged: isUnchanged, identity: hasMoreNames ? status : nil)
        return true
    }

    /// Collects the mark that a name is gone, if there was one: whether it is listed.
    private mutating func whiteout(_ path: ContainerPath, _ found: LayerStack.Found?) -> Bool {
        guard found != nil else { return false }
        append(.whiteout(path), isUnchanged: false)
        return true
    }

    /// Collects a directory and what is in it: whether it is listed.
    private mutating func directory(
        _ node: UpperNode,
        _ marks: OverlayMarks,
        found: LayerStack.Found?,
        below: LayerStack.View?
    ) throws(LayerError) -> Bool {
        let inner = below.flatMap { lower.view(of: node.path, in: $0) }
        // A directory that was made new is marked too; the mark says something only where it hides something.
        let isOpaque = marks.isOpaque && inner.map { lower.hasChildren(in: $0) } ?? false
        var entry = node.entry(kind: .directory(opaque: isOpaque), attributes: marks.others)
        setOwner(of: &entry, marks, node.status, before: found.flatMap { $0.entry.isDirectory ? $0.entry : nil })
        let opened = try file { () throws(FileError) in try node.directory.directory(ContainerPath(clean: node.name)) }
        let outer = groupOfNew
        groupOfNew = form.marksOwners && entry.mode & 0o2000 != 0 ? entry.gid : nil
        defer { groupOfNew = outer }
        let isAnyListed = try collect(in: opened, node.path, below: marks.isOpaque ? nil : inner)
        if !isAnyListed, !isOpaque, let before = found?.entry, before.isDirectory,
            // Times aside: something that came and went in a directory changed nothing.
            Self.haveSameAttributes(entry, before)
        {
            return false
        }
        append(entry, isUnchanged: false)
        return true
    }

    private func owner(
        _ mark: OwnerMark.Owner?,
        _ status: FileStatus,
        before: TreeEntry?
    ) -> OwnerMark.Owner {
        guard form.marksOwners else { return OwnerMark.Owner(uid: status.uid, gid: status.gid) }
        var owner = owners.owner(mark, status, before: before)
        if let groupOfNew, before == nil, mark == nil { owner.gid = groupOfNew }
        return owner
    }

    private func setOwner(
        of entry: inout TreeEntry,
        _ marks: OverlayMarks,
        _ status: FileStatus,
        before: TreeEntry?
    ) {
        let owner = owner(marks.owner, status, before: before)
        entry.uid = owner.uid
        entry.gid = owner.gid
    }

    private static func haveSameKind(_ left: TreeEntry.Kind, _ right: TreeEntry.Kind) -> Bool {
        switch (left, right) {
        case (.file, .file), (.hardLink, .file), (.fifo, .fifo): true
        // What a link leads to cannot be changed: with another target it is another link.
        case (.symlink(let one), .symlink(let other)): one == other
        case (.characterDevice, .characterDevice), (.blockDevice, .blockDevice): true
        default: false
        }
    }

    private mutating func append(_ entry: TreeEntry, isUnchanged: Bool, identity status: FileStatus? = nil) {
        var content = ContentSource.none
        if case .file(let size) = entry.kind, size > 0 { content = .file(upper, entry.path) }
        changes.append(
            Change(
                entry: LayerEntry(entry: entry, content: content),
                identity: status.map { Change.Identity(device: $0.device, inode: $0.inode) },
                isUnchanged: isUnchanged
            )
        )
    }

    /// A change of owner or mode copies the file up and leaves its size and its time: its content need not be read.
    private mutating func countRewritten(_ entry: TreeEntry, _ before: TreeEntry) {
        guard case .file(let size) = entry.kind, entry.kind == before.kind, entry.modified == before.modified,
            entry.uid != before.uid || entry.gid != before.gid || entry.mode != before.mode
        else { return }
        rewrittenBytes += size
    }

    private static func haveSameAttributes(_ left: TreeEntry, _ right: TreeEntry) -> Bool {
        left.mode == right.mode && left.uid == right.uid && left.gid == right.gid
            && left.attributes == right.attributes
    }

    /// Whether what is in the upper directory is what the layers below have: copied up, but not changed.
    private func isSame(_ entry: TreeEntry, _ node: UpperNode, as found: LayerStack.Found) throws(LayerError) -> Bool {
        guard entry.kind == found.entry.kind, entry.modified == found.entry.modified,
            Self.haveSameAttributes(entry, found.entry)
        else { return false }
        guard case .file(let size) = entry.kind, size > 0 else { return true }
        let now = try file { () throws(FileError) in
            try node.directory.openFile(ContainerPath(clean: node.name))
        }
        let before = try lower.open(found)
        return try file { () throws(FileError) in try FileComparison.haveSameBytes(now, before, size: size) }
    }

    private func file<Value>(_ body: () throws(FileError) -> Value) throws(LayerError) -> Value {
        try LayerError.wrapping(body)
    }
}

/// A name in the upper directory.
struct UpperNode {
    let path: ContainerPath
    let name: [UInt8]
    let status: FileStatus
    /// The directory that it is in.
    let directory: Directory

    func entry(kind: TreeEntry.Kind, attributes: [ExtendedAttribute]) -> TreeEntry {
        TreeEntry(
            path: path,
            kind: kind,
            mode: status.mode,
            uid: status.uid,
            gid: status.gid,
            modified: status.modified.seconds,
            attributes: attributes
        )
    }

    /// The entry of what is no directory; `nil` for what a layer has no entry for.
    func entry(attributes: [ExtendedAttribute]) throws(LayerError) -> TreeEntry? {
        let kind: TreeEntry.Kind
        switch status.kind {
        case .file: kind = .file(size: status.size)
        case .symlink:
            kind = .symlink(
                target: try LayerError.wrapping { () throws(FileError) in
                    try directory.readLink(ContainerPath(clean: name))
                }
            )
        case .characterDevice: kind = .characterDevice(major: status.deviceMajor, minor: status.deviceMinor)
        case .blockDevice: kind = .blockDevice(major: status.deviceMajor, minor: status.deviceMinor)
        case .fifo: kind = .fifo
        case .directory, .socket: return nil
        }
        return entry(kind: kind, attributes: attributes)
    }
}

/// What overlayfs wrote on a file, apart from the attributes that are the file's own.
private struct OverlayMarks {
    private(set) var isOpaque = false
    private(set) var isWhiteout = false
    /// The device node that a placeholder stands for.
    private(set) var device: TreeEntry.Kind?
    /// Whose the file would be.
    var owner: OwnerMark.Owner?
    private(set) var others: [ExtendedAttribute] = []

    /// Marks of the other form are none: a step can set `user.overlay.*` on the files of a mount that does not heed it.
    init(_ attributes: [ExtendedAttribute], _ form: OverlayForm, on node: UpperNode) throws(LayerError) {
        if form.devices == .placeholders { device = DeviceMark.kind(in: attributes) }
        if form.marksOwners { owner = OwnerMark.owner(in: attributes) }
        var isCopiedUp = false
        let prefix = form.attributePrefix.utf8
        for attribute in attributes {
            guard attribute.name.starts(with: prefix) else {
                if ExtendedAttribute.isPortable(attribute.name) { others.append(attribute) }
                continue
            }
            let mark = attribute.name[prefix.count...]
            if mark.elementsEqual("opaque".utf8) {
                isOpaque = attribute.value.elementsEqual("y".utf8)
            } else if mark.elementsEqual("whiteout".utf8) {
                isWhiteout = true
            } else if mark.elementsEqual("origin".utf8) {
                isCopiedUp = true
            } else if mark.elementsEqual("redirect".utf8) || mark.elementsEqual("metacopy".utf8) {
                let why = "the overlay was mounted with \(text(mark)), which keeps a part of it elsewhere"
                throw LayerError(.unrepresentable(path: node.path.description, why: why))
            }
        }
        // Root's files have no mark, wherever in the layers they came from.
        if form.marksOwners, isCopiedUp, owner == nil { owner = .root }
    }
}
