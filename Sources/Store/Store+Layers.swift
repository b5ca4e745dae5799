import Dispatch
import Glibc
import LayerDiff
import OCI
import Synchronization

extension Store {
    /// Brings a layer of another layout into the store: its blob is checked against its digest.
    ///
    /// The DiffID is checked later, when the layer is first read; until then only this process believes the image. Where
    /// two images say that different blobs are the layer, the blob is read now.
    /// - Throws: ``BlobError`` where the blob is not what the descriptor says, ``StoreError`` where it is known not to be
    ///   the layer, ``HostFileError``, ``DatabaseError``.
    public func importLayer(_ descriptor: Descriptor, diffID: DiffID, from layout: ImageLayout) throws -> LayerRecord {
        let claimed = try layer(diffID)
        if let claimed, claimed.digest == descriptor.digest || !isUnread(diffID) { return claimed }
        let lock = try lock("blob \(descriptor.digest)")
        defer { withExtendedLifetime(lock) {} }
        if !images.hasBlob(descriptor) {
            try bring(descriptor, from: layout)
        }
        let record = LayerRecord(
            diffID: diffID,
            digest: descriptor.digest,
            size: descriptor.size,
            compression: try compression(of: descriptor)
        )
        guard claimed == nil else {
            try admitLayer(descriptor, as: diffID)
            return record
        }
        believe(record)
        return record
    }

    /// By content: Docker's media types do not always tell.
    func compression(of descriptor: Descriptor) throws -> BlobCompression {
        try LayerReader.compression(of: openBlob(descriptor.digest))
    }

    /// Moves a finished blob from a build's work directory to its place.
    /// - Throws: ``HostFileError``.
    public func publishBlob(_ temporary: String, as digest: Digest) throws {
        guard rename(temporary, images.blobPath(digest)) == 0 else {
            throw HostFileError("rename into place", images.blobPath(digest), code: errno)
        }
    }

    // MARK: Indexes

    private func indexPath(_ diffID: DiffID) -> String { "\(root)/indexes/\(diffID.digest.hex)" }

    /// The list of a layer's entries: kept, or read from its blob, which is checked against the DiffID then.
    /// - Throws: ``LayerError``, ``StoreError``, ``HostFileError``.
    public func index(of diffID: DiffID) throws -> LayerIndex {
        if let index = indexes.withLock({ $0[diffID] }) { return index }
        let index: LayerIndex
        if let kept = keptIndex(of: diffID) {
            index = kept
        } else {
            let blob = try openBlob(of: diffID)
            let read = try blob.withDescriptor { try LayerReader.index($0, limits: LayerLimits()) }
            try check(read, is: diffID)
            try confirm(read)
            index = read.index
            try keep(index, of: diffID)
        }
        indexes.withLock { $0[diffID] = index }
        return index
    }

    /// The list as it was kept, with its digest behind it; `nil` where it is missing or damaged.
    private func keptIndex(of diffID: DiffID) -> LayerIndex? {
        guard let bytes = try? HostFile.read(indexPath(diffID), limit: 1 << 30), bytes.count > 64 else { return nil }
        let body = Array(bytes.dropLast(64))
        guard bytes.suffix(64).elementsEqual(Digest(of: body).hex.utf8) else { return nil }
        return try? LayerIndex(decoding: body)
    }

    /// Takes note of a layer's list of entries, for this process alone, until it is kept.
    public func note(_ index: LayerIndex, of diffID: DiffID) {
        indexes.withLock { $0[diffID] = index }
    }

    /// Keeps a layer's list of entries.
    /// - Throws: ``HostFileError``.
    public func keep(_ index: LayerIndex, of diffID: DiffID) throws {
        var bytes = index.encoded()
        bytes.append(contentsOf: Digest(of: bytes).hex.utf8)
        try HostFile.write(bytes, to: indexPath(diffID))
        indexes.withLock { $0[diffID] = index }
    }

    /// Opens a layer's blob.
    /// - Throws: ``StoreError`` where the layer is not in the store.
    public func openBlob(of diffID: DiffID) throws -> OwnedDescriptor {
        guard let record = try layer(diffID) else { throw StoreError.missingLayer(diffID) }
        return try openBlob(record.digest)
    }

    /// Opens a blob.
    /// - Throws: ``HostFileError`` where it is not in the store.
    public func openBlob(_ digest: Digest) throws(HostFileError) -> OwnedDescriptor {
        let path = images.blobPath(digest)
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw HostFileError("open", path, code: errno) }
        return OwnedDescriptor(owning: descriptor, path: path)
    }

    func check(_ read: ReadLayer, is diffID: DiffID) throws {
        guard read.diffID == diffID else {
            try disbelieve(diffID, of: read.blobDigest)
            throw StoreError.wrongDiffID(expected: diffID, found: read.diffID, blob: read.blobDigest)
        }
    }

    /// Reads a layer's blob, if nobody has yet who could tell whether it is the layer.
    /// - Throws: ``StoreError`` where it is another one, ``LayerError``, ``HostFileError``, ``DatabaseError``.
    public func confirmLayer(_ diffID: DiffID) throws {
        guard isUnread(diffID) else { return }
        let read = try openBlob(of: diffID).withDescriptor { try LayerReader.index($0, limits: LayerLimits()) }
        try check(read, is: diffID)
        try confirm(read)
    }

    /// Keeps the record of a layer that was only believed to be there, now that it was read.
    private func confirm(_ read: ReadLayer) throws {
        guard isUnread(read.diffID) else { return }
        try admit(read, keeping: false)
    }

    // MARK: Unpacked layers

    /// The merged view of a chain of layers, lowest first; each is unpacked when its files are first asked for.
    /// - Throws: what ``index(of:)`` throws.
    public func stack(_ layers: [DiffID]) throws -> LayerStack {
        var parts: [LayerStack.Layer] = []
        parts.reserveCapacity(layers.count)
        for (position, diffID) in layers.enumerated() {
            parts.append(
                LayerStack.Layer(index: try index(of: diffID)) { [unowned self] in
                    try Directory(path: unpack(Array(layers[...position])))
                }
            )
        }
        return LayerStack(parts)
    }

    /// The directory of the topmost layer of a chain, or the root of its image, unpacked now where it was not before.
    ///
    /// The path is good as long as this store lives, for processes that see this one in `/proc`.
    /// - Throws: ``LayerError``, ``StoreError``, ``HostFileError``.
    public func unpack(_ chain: [DiffID]) throws -> String {
        guard let diffID = chain.last else { throw StoreError.emptyChain }
        let byDiffID = diffID.digest.hex
        if let place = place(of: byDiffID) { return place }
        // A hash for each layer below: only where it is needed.
        guard let chainID = ChainID(chain) else { throw StoreError.emptyChain }
        let byChainID = chainID.digest.hex
        if let place = place(of: byChainID) { return place }
        let lock = try lock("unpack \(diffID)")
        defer { withExtendedLifetime(lock) {} }
        if let place = place(of: byDiffID) ?? place(of: byChainID) { return place }
        let work = try makeWorkDirectory()
        let blob = try openBlob(of: diffID)
        let lower = chain.count > 1 ? try stack(Array(chain.dropLast())) : nil
        let isSmall = try isSmall(diffID)
        let (read, unpacked) = try unpack(.complete(blob), isSmall: isSmall, lower: { lower }, in: work)
        try check(read, is: diffID)
        try confirm(read)
        try keep(read.index, of: diffID)
        return try publish(unpacked, as: read.index.isSelfContained ? byDiffID : byChainID)
    }

    /// How layers are unpacked for this store's overlays.
    func applyOptions(lower: @escaping @Sendable () -> LayerStack?) -> ApplyOptions {
        ApplyOptions(
            form: .overlay(attributePrefix: form.attributePrefix),
            lower: lower,
            devices: form.devices,
            marksOwners: form.marksOwners
        )
    }

    /// Takes the upper directory of a finished step for the unpacked form of the layer that it became.
    /// - Throws: ``HostFileError``.
    public func adopt(_ upper: String, as diffID: DiffID) throws {
        _ = try publish(UnpackedLayer(path: upper, mount: nil), as: diffID.digest.hex)
    }

    /// The unpacked directories of a chain, topmost first: the lower directories of an overlay.
    ///
    /// A layer that is in the chain twice counts where it is topmost: whatever it says there overrides what it said
    /// below, and the kernel refuses a directory that is listed twice.
    /// - Throws: what ``unpack(_:)`` throws.
    public func directories(_ chain: [DiffID]) throws -> [String] {
        var seen: Set<String> = []
        try unpackMissing(chain)
        return try chain.indices.reversed().map { try unpack(Array(chain[...$0])) }.filter { seen.insert($0).inserted }
    }

    /// Unpacks what has no directory yet, where that is several layers side by side: creating a file takes the kernel
    /// longer than anything else here, and does so on one processor.
    private func unpackMissing(_ chain: [DiffID]) throws {
        let missing = chain.indices.filter { place(of: chain[$0].digest.hex) == nil }
        guard missing.count > 1 else { return }
        let failures = Mutex<[Int: any Error]>([:])
        DispatchQueue.concurrentPerform(iterations: missing.count) { number in
            do {
                _ = try unpack(Array(chain[...missing[number]]))
            } catch {
                failures.withLock { $0[number] = error }
            }
        }
        if let first = failures.withLock({ $0.min { $0.key < $1.key } }) { throw first.value }
    }
}

/// What the store was asked for and cannot give.
public enum StoreError: Error, Sendable, CustomStringConvertible {
    case missingLayer(DiffID)
    case wrongDiffID(expected: DiffID, found: DiffID, blob: Digest)
    case emptyChain
    case incompleteImage(String, Digest)

    /// One sentence: what is wrong, and what to do.
    public var description: String {
        switch self {
        case .missingLayer(let diffID): "the layer \(diffID) is not in the store; build again with --no-cache"
        case .wrongDiffID(let expected, let found, let blob):
            "the layer \(blob) unpacks to \(found), but its image says \(expected): the image is corrupt; pull it again"
        case .incompleteImage(let name, let digest):
            "the image \(name) is incomplete: its manifest \(digest) is missing; pull or build it again, or remove its "
                + "name with 'swbuild rm \(name)' first"
        case .emptyChain: "a chain without layers has no directory"
        }
    }
}
