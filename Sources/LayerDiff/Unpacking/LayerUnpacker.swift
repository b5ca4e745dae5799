import Glibc
import SystemPackage

/// What a layer's members are put to, in their order.
protocol LayerPlacer {
    /// Places an entry; a file's content is read from `reader`.
    func place(_ original: TreeEntry, contentFrom reader: TarReader) throws(LayerError)
    /// Places a whiteout, or deletes what it names.
    func whiteout(_ path: ContainerPath) throws(LayerError)
    /// Marks a directory opaque.
    func opaque(_ path: ContainerPath) throws(LayerError)
    /// Does what could not be done before all else was there: what the layer says in all.
    func finish() throws(LayerError) -> LayerIndex
}

/// Puts a layer's entries into a directory.
final class LayerUnpacker: LayerPlacer {
    private let options: ApplyOptions
    private let nodes: NodeMaker
    private var record: LayerRecord
    /// The device nodes that were left out.
    private var leftOut: Set<ContainerPath> = []

    init(_ root: Directory, options: ApplyOptions) {
        self.options = options
        nodes = NodeMaker(
            root,
            isUnprivileged: options.isUnprivileged,
            marksOwners: options.marksOwners
        )
        record = LayerRecord(limits: options.limits, lower: options.lower)
    }

    /// Places an entry; a file's content is read from `reader`.
    func place(_ original: TreeEntry, contentFrom reader: TarReader) throws(LayerError) {
        if options.devices == .refused && original.isDevice {
            let why = "it is a device node, and the layer may have none"
            throw LayerError(.hostileEntry(name: original.path.description, why: why))
        }
        let entry = try record.add(original)
        let spot = try spot(for: entry.path)
        switch entry.kind {
        case .hardLink(let target): try link(spot, to: target)
        case .directory(let opaque):
            try wrapped { () throws(FileError) in try nodes.makeDirectory(spot, entry) }
            if opaque { try markOpaque(entry.path) }
        case .file(let size):
            try writeFile(spot, entry) { (file) throws(LayerError) in
                try reader.content { (piece, offset) throws(LayerError) in
                    try wrapped { () throws(FileError) in try file.write(piece, at: offset) }
                }
                try wrapped { () throws(FileError) in try file.extend(to: size) }
            }
        case .symlink, .characterDevice, .blockDevice, .fifo, .whiteout: try makeNode(spot, entry)
        }
    }

    private func makeNode(_ spot: NodeMaker.Spot, _ entry: TreeEntry) throws(LayerError) {
        guard entry.isDevice, options.devices != .made else {
            return try wrapped { () throws(FileError) in try nodes.makeNode(spot, entry) }
        }
        guard options.devices == .placeholders, let mark = DeviceMark.attribute(for: entry.kind) else {
            leftOut.insert(entry.path)
            return
        }
        var placeholder = entry
        placeholder.attributes.append(mark)
        try writeFile(spot, placeholder) { (_) throws(LayerError) in }
    }

    /// Places a whiteout, or deletes what it names.
    func whiteout(_ path: ContainerPath) throws(LayerError) {
        switch try record.whiteout(path) {
        case .nothing: return
        case .opaque: try markOpaque(path)
        case .gone:
            switch options.form {
            case .flat: try wrapped { () throws(FileError) in try nodes.remove(path) }
            case .overlay:
                let spot = try spot(for: path)
                try wrapped { () throws(FileError) in try nodes.makeNode(spot, .whiteout(path)) }
            }
        }
    }

    /// Marks a directory opaque, or deletes what is in it from below.
    func opaque(_ path: ContainerPath) throws(LayerError) {
        try record.opaque(path)
        if !path.isRoot { try ensureDirectory(path) }
        try markOpaque(path)
    }

    /// Sets what could not be set before all else was there: what the layer says in all.
    func finish() throws(LayerError) -> LayerIndex {
        try wrapped { () throws(FileError) in try nodes.finish() }
        return record.index()
    }

    private func markOpaque(_ path: ContainerPath) throws(LayerError) {
        switch options.form {
        case .overlay(let prefix):
            let mark = ExtendedAttribute(prefix + "opaque", "y")
            try wrapped { () throws(FileError) in
                try nodes.root.directory(path).setExtendedAttribute(mark, on: [])
            }
        case .flat:
            let record = record
            try wrapped { () throws(FileError) in
                try TreeRemoval.removeChildren(of: path, in: nodes.root) { record.contains($0) }
            }
        }
    }

    // MARK: parents

    private func spot(for path: ContainerPath) throws(LayerError) -> NodeMaker.Spot {
        guard let parent = path.parent else { return NodeMaker.Spot(directory: nodes.root, name: [], path: path) }
        if let known = nodes.knownParent(parent) {
            return NodeMaker.Spot(directory: known, name: Array(path.name), path: path)
        }
        if let directory = try wrapped({ () throws(FileError) in try nodes.openParent(parent) }) {
            return NodeMaker.Spot(directory: directory, name: Array(path.name), path: path)
        }
        try ensureDirectory(parent)
        return try spot(for: path)
    }

    /// Makes `path` a directory, and all that is above it, where it is none.
    private func ensureDirectory(_ path: ContainerPath) throws(LayerError) {
        if path.isRoot || nodes.isDirectory(path) { return }
        let spot = try spot(for: path)
        let entry = record.impliedDirectory(path)
        try wrapped { () throws(FileError) in try nodes.makeDirectory(spot, entry) }
        // In the place of a whiteout, whose meaning must not be lost with it.
        if record.isOpaque(path) { try markOpaque(path) }
    }

    // MARK: files

    private func writeFile(
        _ spot: NodeMaker.Spot,
        _ entry: TreeEntry,
        _ write: (FileOutput) throws(LayerError) -> Void
    ) throws(LayerError) {
        let file = try wrapped { () throws(FileError) in try nodes.createFile(spot) }
        try write(file)
        try wrapped { () throws(FileError) in try nodes.complete(file, spot, entry) }
    }

    /// Gives a file one more name; a file of the layers below is copied.
    private func link(_ spot: NodeMaker.Spot, to target: ContainerPath) throws(LayerError) {
        if leftOut.contains(target) {
            leftOut.insert(spot.path)
            return
        }
        if record.containsLinkable(target) || options.form == .flat {
            let isLinked = try wrapped { () throws(FileError) in try nodes.link(spot, to: target) }
            if isLinked { return }
        }
        guard let lower = options.lower(), let found = lower.lookup(target), !found.entry.isDirectory else {
            let why = "it is a hard link to \(target), which does not exist"
            throw LayerError(.hostileEntry(name: spot.path.description, why: why))
        }
        var entry = found.entry
        entry.path = spot.path
        guard case .file(let size) = entry.kind else { return try makeNode(spot, entry) }
        let source = try lower.open(found)
        try writeFile(spot, entry) { (file) throws(LayerError) in
            try wrapped { () throws(FileError) in try file.copy(source, size: size) }
        }
    }

    private func wrapped<Value>(_ body: () throws(FileError) -> Value) throws(LayerError) -> Value {
        try LayerError.wrapping(body)
    }
}

extension TreeEntry {
    /// Whether this is a device node.
    fileprivate var isDevice: Bool {
        switch kind {
        case .characterDevice, .blockDevice: true
        case .file, .directory, .symlink, .hardLink, .fifo, .whiteout: false
        }
    }
}
