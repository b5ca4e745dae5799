import OCI
import SystemPackage

/// Turns entries into the bytes of a tar.
struct TarWriter {
    private let pipeline: LayerPipeline
    private let options: LayerOptions
    private var written: [TreeEntry] = []
    private var header: [UInt8] = []
    private var search: LayerSearch?

    init(blob: FileDescriptor, options: LayerOptions, search: PatternSearch? = nil) throws(LayerError) {
        pipeline = try LayerPipeline(blob: blob, options: options, search: search)
        self.search = search.map { LayerSearch($0) }
        self.options = options
    }

    /// Whether bringing entries faster would be of no use.
    var isBehind: Bool { pipeline.isBehind }

    /// Makes room for the list of so many entries.
    mutating func expect(_ count: Int) { written.reserveCapacity(count) }

    /// Adds an entry with all of its content, which may have been `read` already: the content's digest, if wanted.
    @discardableResult
    mutating func write(_ entry: LayerEntry, read: ReadContent? = nil) throws(LayerError) -> Digest? {
        let size = try begin(entry.entry)
        guard size > 0 else { return nil }
        if let read, read.place.count == size {
            try read.bytes.withBytes { (bytes) throws(LayerError) in
                try pipeline.write(UnsafeRawBufferPointer(rebasing: bytes[read.place]))
            }
            try pad(size)
            return read.digest
        }
        var hasher = options.contents == nil ? nil : Digest.Hasher()
        try FileFeed(entry, size: size).run(into: pipeline, &hasher)
        try pad(size)
        return hasher?.finalize()
    }

    /// Adds an entry's headers: how many bytes of content must follow, with ``content(_:)`` and ``pad(_:)``.
    mutating func begin(_ original: TreeEntry) throws(LayerError) -> Int64 {
        var entry = original
        if let latest = options.latestModification { entry.modified = min(entry.modified, latest) }
        try Self.check(entry)
        let header = Self.header(of: entry)
        try append(header)
        if case .directory(opaque: true) = entry.kind { try opaque(entry.path) }
        written.append(entry)
        search?.add(entry, contentAt: pipeline.size)
        return header.size
    }

    /// Adds the mark that a directory is opaque.
    mutating func opaque(_ directory: ContainerPath) throws(LayerError) {
        let mark = ContainerPath(parent: directory, name: Whiteouts.opaque)
        try append(TarHeader(name: mark.bytes, type: .file))
    }

    /// Adds a part of the content of the entry that was begun last.
    func content(_ bytes: UnsafeRawBufferPointer) throws(LayerError) {
        try pipeline.write(bytes)
    }

    /// Adds `count` zeros to the content of the entry that was begun last.
    func zeros(_ count: Int64) throws(LayerError) {
        try pipeline.writeZeros(count)
    }

    /// Fills up the last block of a content of `size` bytes.
    func pad(_ size: Int64) throws(LayerError) {
        let block = Int64(TarHeader.blockSize)
        try pipeline.writeZeros((block - size % block) % block)
    }

    /// Ends the archive.
    mutating func finish() throws(LayerError) -> PendingLayer {
        try pipeline.writeZeros(2 * Int64(TarHeader.blockSize))
        let (diffID, blob) = try pipeline.finish()
        return PendingLayer(
            diffID: diffID,
            index: LayerIndex(written),
            match: search?.match(inTar: pipeline.found, entries: written),
            uncompressedSize: pipeline.size,
            blob: (blob, options.compression.blobCompression)
        )
    }

    private mutating func append(_ tarHeader: TarHeader) throws(LayerError) {
        header.removeAll(keepingCapacity: true)
        tarHeader.append(to: &header)
        try header.withBytes { (bytes) throws(LayerError) in try pipeline.write(bytes) }
    }

    /// Refuses what a layer has no words for.
    private static func check(_ entry: TreeEntry) throws(LayerError) {
        if Whiteouts.hasReserved(entry.path) {
            let why = "layers keep names that begin with .wh. for marks of what is deleted; rename it"
            throw LayerError(.unrepresentable(path: entry.path.description, why: why))
        }
        for attribute in entry.attributes where attribute.name.contains(UInt8(ascii: "=")) {
            let why = "the name of its extended attribute \(text(attribute.name)) has an equals sign in it"
            throw LayerError(.unrepresentable(path: entry.path.description, why: why))
        }
        if entry.path.isRoot && !entry.isDirectory {
            throw LayerError(.wrongType(path: entry.path.description, expected: "directory"))
        }
    }

    private static func header(of entry: TreeEntry) -> TarHeader {
        var header = TarHeader(name: entry.path.bytes, type: .file, mode: entry.mode, uid: entry.uid, gid: entry.gid)
        header.modified = entry.modified
        header.attributes = entry.attributes
        switch entry.kind {
        case .file(let size): header.size = size
        case .directory:
            header.type = .directory
            // The root directory has no name of its own; "./" is what other writers call it.
            header.name = (entry.path.isRoot ? [UInt8(ascii: ".")] : header.name) + [UInt8(ascii: "/")]
        case .symlink(let target):
            header.type = .symlink
            header.linkName = target
        case .hardLink(let target):
            header.type = .hardLink
            header.linkName = target.bytes
            header.attributes = []
        case .characterDevice(let major, let minor):
            header.type = .characterDevice
            (header.deviceMajor, header.deviceMinor) = (major, minor)
        case .blockDevice(let major, let minor):
            header.type = .blockDevice
            (header.deviceMajor, header.deviceMinor) = (major, minor)
        case .fifo: header.type = .fifo
        case .whiteout:
            let parent = entry.path.parent ?? .root
            return TarHeader(
                name: ContainerPath(parent: parent, name: Whiteouts.prefix + entry.path.name).bytes,
                type: .file
            )
        }
        return header
    }
}
