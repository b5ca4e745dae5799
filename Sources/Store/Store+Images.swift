import Glibc
import LayerDiff
import OCI

extension Store {
    /// Brings a blob of another layout into the store, checked against its descriptor; with `moving`, the file itself.
    /// - Throws: ``BlobError`` where the blob is not what the descriptor says, ``HostFileError``.
    public func importBlob(_ descriptor: Descriptor, from layout: ImageLayout, moving: Bool) throws {
        let lock = try lock("blob \(descriptor.digest)")
        defer { withExtendedLifetime(lock) {} }
        guard !images.hasBlob(descriptor) else { return }
        defer { noteArrival(descriptor.digest) }
        guard !moving else { return try layout.move(descriptor, to: images) }
        try bring(descriptor, from: layout)
    }

    /// Makes a blob of the store known as a layer, after it was read and found to have the DiffID that its image says.
    ///
    /// A blob that turns out to be damaged is removed. One that is what its digest says may be somebody else's, and stays
    /// until it is pruned.
    /// - Throws: ``StoreError`` where the DiffID is another one, ``LayerError``, ``HostFileError``, ``DatabaseError``.
    public func admitLayer(_ descriptor: Descriptor, as diffID: DiffID) throws {
        if let record = try layer(diffID), record.digest == descriptor.digest { return }
        let read: ReadLayer
        do {
            read = try openBlob(descriptor.digest).withDescriptor { try LayerReader.index($0, limits: LayerLimits()) }
            try check(read, is: diffID)
        } catch {
            if (try? images.verify(descriptor)) == nil { unlink(images.blobPath(descriptor.digest)) }
            throw error
        }
        try admit(read, keeping: true)
    }

    /// Keeps the record of a layer that was read, unless there is one of another blob that was read, too; with `keeping`,
    /// its index as well.
    func admit(_ read: ReadLayer, keeping: Bool) throws {
        if keeping { try keep(read.index, of: read.diffID) }
        guard try layer(read.diffID) == nil || isUnread(read.diffID) else { return }
        let record = LayerRecord(
            diffID: read.diffID,
            digest: read.blobDigest,
            size: read.blobSize,
            compression: read.compression
        )
        try insert(record, tree: nil)
    }
}
