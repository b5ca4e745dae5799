import OCI
import SystemPackage

/// A layer's blob, completely read.
public struct ReadLayer: Sendable {
    /// The digest of the tar.
    public let diffID: DiffID
    /// The digest of the blob.
    public let blobDigest: Digest
    /// The blob's length.
    public let blobSize: Int64
    /// How the blob is compressed, by its own first bytes.
    public let compression: BlobCompression
    /// The tar's length.
    public let uncompressedSize: Int64
    /// What the layer says of its paths.
    public let index: LayerIndex

    init(_ facts: BlobFacts, index: LayerIndex) {
        diffID = facts.diffID
        blobDigest = facts.blob.digest
        blobSize = facts.blob.size
        compression = facts.compression
        uncompressedSize = facts.uncompressedSize
        self.index = index
    }
}

/// How a layer is applied to a directory.
public struct ApplyOptions: Sendable {
    /// What becomes of marks for what is gone.
    public enum Form: Sendable, Hashable {
        /// They become overlayfs's own, with attributes of this prefix: `trusted.overlay.` or `user.overlay.`.
        case overlay(attributePrefix: String)
        /// What they name is deleted from the directory.
        case flat
    }

    /// What becomes of marks for what is gone.
    public var form: Form
    /// The layers below: asked for the attributes of directories that the layer does not list, and for the files that
    /// its hard links lead to.
    ///
    /// Called when they are first needed, and often then; they may not be there before.
    public var lower: @Sendable () -> LayerStack?
    /// How much the layer may ask for.
    public var limits: LayerLimits
    /// What becomes of device nodes.
    public var devices: DevicePolicy
    /// Whether owners are written on files as marks.
    public var marksOwners: Bool
    /// Whether this is done in a user namespace, which may not set attributes that the host's security modules read.
    var isUnprivileged: Bool { devices == .placeholders || devices == .leftOut }

    /// Collects the options; without more, there is nothing below and devices are refused.
    public init(
        form: Form,
        lower: @escaping @Sendable () -> LayerStack? = { nil },
        limits: LayerLimits = LayerLimits(),
        devices: DevicePolicy = .refused,
        marksOwners: Bool = false
    ) {
        self.form = form
        self.lower = lower
        self.limits = limits
        self.devices = devices
        self.marksOwners = marksOwners
    }
}

/// Reads layers.
public enum LayerReader {
    /// Unpacks the layer in `blob`, a file that is read from its start, to `directory`.
    ///
    /// Nothing outside of `directory` is ever written, whatever the layer says. When this fails, what was unpacked so
    /// far is left behind.
    /// - Throws: ``LayerError`` when the blob is damaged, asks for what is not allowed, or the file system refuses.
    public static func apply(
        _ blob: FileDescriptor,
        to directory: Directory,
        options: ApplyOptions
    ) throws(LayerError) -> ReadLayer {
        try Fence.run(writingBeneath: directory, options) { (options) throws(LayerError) in
            try apply(BlobSource(blob, limits: options.limits), to: directory, options: options)
        }
    }

    /// Unpacks a layer while its blob is still coming.
    /// - Throws: ``LayerError`` as for a complete one, or when the rest of it does not come.
    public static func apply(
        _ blob: GrowingBlob,
        to directory: Directory,
        options: ApplyOptions
    ) throws(LayerError) -> ReadLayer {
        try Fence.run(writingBeneath: directory, options) { (options) throws(LayerError) in
            try apply(BlobSource(.growing(blob), limits: options.limits), to: directory, options: options)
        }
    }

    private static func apply(
        _ source: BlobSource,
        to directory: Directory,
        options: ApplyOptions
    ) throws(LayerError) -> ReadLayer {
        try place(source, with: LayerUnpacker(directory, options: options))
    }

    private static func place(_ source: BlobSource, with placer: some LayerPlacer) throws(LayerError) -> ReadLayer {
        try forEachMember(of: source) { (member, reader) throws(LayerError) in
            switch member {
            case .entry(let entry): try placer.place(entry, contentFrom: reader)
            case .whiteout(let path): try placer.whiteout(path)
            case .opaque(let path): try placer.opaque(path)
            case .ignored: break
            }
        }
        let index = try placer.finish()
        return ReadLayer(try source.finish(), index: index)
    }

    /// Puts what the layer in `blob` unpacks to, in overlay form, into one file: an EROFS image.
    ///
    /// `file` is empty, and holds the image afterwards. All is checked that is checked when a layer is unpacked.
    /// - Throws: ``LayerError`` as for unpacking, with the reason `noImage` where only a directory can have what the
    ///   layer says.
    public static func image(
        _ blob: FileDescriptor,
        to file: OwnedDescriptor,
        options: ApplyOptions
    ) throws(LayerError) -> ReadLayer {
        try Fence.run(writingBeneath: nil, options) { (options) throws(LayerError) in
            try image(BlobSource(blob, limits: options.limits), to: file, options: options)
        }
    }

    /// Makes an image of a layer while its blob is still coming.
    /// - Throws: ``LayerError`` as for a complete one, or when the rest of it does not come.
    public static func image(
        _ blob: GrowingBlob,
        to file: OwnedDescriptor,
        options: ApplyOptions
    ) throws(LayerError) -> ReadLayer {
        try Fence.run(writingBeneath: nil, options) { (options) throws(LayerError) in
            try image(BlobSource(.growing(blob), limits: options.limits), to: file, options: options)
        }
    }

    private static func image(
        _ source: BlobSource,
        to file: OwnedDescriptor,
        options: ApplyOptions
    ) throws(LayerError) -> ReadLayer {
        try place(source, with: LayerImager(file, options: options))
    }

    /// Reads the layer in `blob`, a file that is read from its start, and unpacks nothing.
    /// - Throws: ``LayerError`` when the blob is damaged or asks for what is not allowed.
    public static func index(
        _ blob: FileDescriptor,
        limits: LayerLimits = LayerLimits()
    ) throws(LayerError) -> ReadLayer {
        try index(BlobSource(blob, limits: limits), limits)
    }

    /// Reads a layer while its blob is still coming, and unpacks nothing.
    /// - Throws: ``LayerError`` as for a complete one, or when the rest of it does not come.
    public static func index(
        _ blob: GrowingBlob,
        limits: LayerLimits = LayerLimits()
    ) throws(LayerError) -> ReadLayer {
        try index(BlobSource(.growing(blob), limits: limits), limits)
    }

    private static func index(_ source: BlobSource, _ limits: LayerLimits) throws(LayerError) -> ReadLayer {
        var record = LayerRecord(limits: limits)
        try forEachMember(of: source) { (member, _) throws(LayerError) in
            switch member {
            case .entry(let entry): _ = try record.add(entry)
            case .whiteout(let path): _ = try record.whiteout(path)
            case .opaque(let path): try record.opaque(path)
            case .ignored: break
            }
        }
        return ReadLayer(try source.finish(), index: record.index())
    }

    /// How a blob is compressed, by its first bytes, whatever its media type says.
    /// - Throws: ``FileError`` when it cannot be read.
    public static func compression(of blob: OwnedDescriptor) throws(FileError) -> BlobCompression {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 4)
        defer { buffer.deallocate() }
        let count = try blob.read(into: buffer, at: 0)
        return BlobDecoder.compression(startingWith: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }

    /// Calls `body` with every member of the tar; within it, the member's content can be read.
    static func forEachMember(
        of source: BlobSource,
        _ body: (LayerMember, TarReader) throws(LayerError) -> Void
    ) throws(LayerError) {
        let reader = TarReader(source)
        while let member = try reader.next() { try body(LayerMember(member), reader) }
    }
}
