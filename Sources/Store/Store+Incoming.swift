import Glibc
import LayerDiff
import OCI

extension Store {
    /// A blob to be brought here; `nil` where it is there already, perhaps since another process has just brought it.
    ///
    /// That is waited for until `isCancelled` says so; it may take as long as a download.
    /// - Throws: ``HostFileError``, `CancellationError`.
    public func incomingBlob(
        _ descriptor: Descriptor,
        isCancelled: () -> Bool = { false }
    ) throws -> IncomingBlob? {
        if images.hasBlob(descriptor) { return nil }
        var found = try lockIfFree("blob \(descriptor.digest)")
        while found == nil {
            if isCancelled() { throw CancellationError() }
            usleep(100_000)
            found = try lockIfFree("blob \(descriptor.digest)")
        }
        guard let lock = found, !images.hasBlob(descriptor) else { return nil }
        let path = "\(root)/incoming/\(descriptor.digest.hex)"
        return try IncomingBlob(descriptor, path: path, lock: lock)
    }

    /// Puts a blob that has come completely into its place.
    /// - Throws: ``IncomingBlobError`` where it is not what was asked for, ``HostFileError``.
    public func publish(_ blob: IncomingBlob) throws {
        try blob.publish(as: images.blobPath(blob.descriptor.digest))
        noteArrival(blob.descriptor.digest)
    }

    /// Reads a layer while it comes, and unpacks it where `lower` gives the layers below; that may wait for them.
    ///
    /// Nothing of it counts before ``admit(_:as:)``.
    /// - Throws: ``LayerError`` where it is damaged or does not come completely, ``HostFileError``.
    public func read(_ blob: GrowingBlob, unpackingAbove lower: (@Sendable () -> LayerStack?)?) throws -> IncomingLayer
    {
        guard let lower else { return IncomingLayer(read: try LayerReader.index(blob), unpacked: nil, work: nil) }
        let work = try makeWorkDirectory()
        let (read, unpacked) = try unpack(.growing(blob), isSmall: false, lower: lower, in: work)
        return IncomingLayer(read: read, unpacked: unpacked, work: work)
    }

    /// Makes a layer known that was read while it came, if it is the one that its image says; its blob must be in place.
    ///
    /// - Throws: ``StoreError`` where the DiffID is another one, ``HostFileError``, ``DatabaseError``.
    public func admit(_ layer: IncomingLayer, as chain: [DiffID]) throws {
        guard let diffID = chain.last, let chainID = ChainID(chain) else { throw StoreError.emptyChain }
        try check(layer.read, is: diffID)
        if let unpacked = layer.unpacked {
            let name = layer.read.index.isSelfContained ? diffID.digest.hex : chainID.digest.hex
            _ = try publish(unpacked, as: name)
        }
        try admit(layer.read, keeping: true)
    }

    /// Removes a blob that this process has brought, and that is no layer, unless a record of one names it.
    ///
    /// One that was here before may be somebody else's, and is not to be given here.
    /// - Throws: ``DatabaseError``.
    public func discard(_ blob: Descriptor) throws {
        let rows = try database.query("SELECT 1 FROM layers WHERE digest = ?", [.text(blob.digest.hex)], limit: 1)
        if rows.isEmpty { unlink(images.blobPath(blob.digest)) }
    }

    // MARK: Where blobs came from

    /// Notes that a repository, `REGISTRY/PATH`, has these blobs.
    /// - Throws: ``DatabaseError``.
    public func note(_ digests: [Digest], in repository: String) throws {
        try database.transaction(
            digests.map { digest in
                (
                    "INSERT OR REPLACE INTO blob_sources (digest, repository, used) VALUES (?, ?, ?)",
                    [.text(digest.hex), .text(repository), .integer(Self.now)]
                )
            }
        )
    }

    /// The repositories that have a blob, the one of which that was heard last first.
    /// - Throws: ``DatabaseError``.
    public func repositories(with digest: Digest) throws -> [String] {
        try database.query(
            "SELECT repository FROM blob_sources WHERE digest = ? ORDER BY used DESC, repository",
            [.text(digest.hex)],
            limit: 16
        ).compactMap { $0[0].text }
    }
}

/// A layer that was read while it came.
public struct IncomingLayer: Sendable {
    let read: ReadLayer
    /// Its files, where it was unpacked.
    let unpacked: UnpackedLayer?
    /// What keeps them.
    let work: WorkDirectory?
}
