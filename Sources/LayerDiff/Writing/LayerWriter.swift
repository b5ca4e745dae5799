import OCI
import SystemPackage

/// Writes layers.
public enum LayerWriter {
    /// Writes `entries`, in the order given, as a tar to `blob`, compressed as `options` say.
    ///
    /// Comes back as soon as the tar is complete and hashed; the last of the compression may still be running. `blob`
    /// is written from its current position, and must stay open until ``PendingLayer/finish()`` has come back or the
    /// pending layer is gone. What `search` finds on the way is the pending layer's ``PendingLayer/match``.
    /// - Throws: ``LayerError`` when a content cannot be read, changed meanwhile, or the blob cannot be written.
    public static func begin(
        _ entries: some Sequence<LayerEntry>,
        blob: FileDescriptor,
        options: LayerOptions = LayerOptions(),
        search: PatternSearch? = nil
    ) throws(LayerError) -> PendingLayer {
        try begin(LayerEntries(Array(entries)), blob: blob, options: options, search: search)
    }

    /// The same for entries that need not be in memory all at once.
    /// - Throws: ``LayerError`` when a content cannot be read, changed meanwhile, or the blob cannot be written.
    public static func begin(
        _ entries: LayerEntries,
        blob: FileDescriptor,
        options: LayerOptions = LayerOptions(),
        search: PatternSearch? = nil
    ) throws(LayerError) -> PendingLayer {
        var writer = try TarWriter(blob: blob, options: options, search: search)
        writer.expect(entries.count)
        let ahead = ReadAhead(entries, hashing: options.contents != nil)
        let reader = try ahead.map { (ahead) throws(LayerError) in try WorkerThread { ahead.run() } }
        // Joined as it goes, the thread must not wait for more questions.
        defer { withExtendedLifetime(reader) { ahead?.end() } }
        for (number, entry) in entries.enumerated() {
            let digest = try writer.write(entry, read: ahead?.content(of: number, isBehind: writer.isBehind))
            if let digest { options.contents?.note(digest, of: number) }
        }
        return try writer.finish()
    }
}

/// A layer whose tar is complete, and whose blob will be.
public final class PendingLayer: Sendable {
    /// The digest of the tar.
    public let diffID: DiffID
    /// What the tar says of its paths.
    public let index: LayerIndex
    /// The tar's length.
    public let uncompressedSize: Int64
    /// The first of the patterns that the layer was searched for, if one is in it.
    public let match: LayerMatch?
    private let compression: BlobCompression
    private let blob: PendingBlob

    init(
        diffID: DiffID,
        index: LayerIndex,
        match: LayerMatch?,
        uncompressedSize: Int64,
        blob: (PendingBlob, BlobCompression)
    ) {
        self.diffID = diffID
        self.index = index
        self.match = match
        self.uncompressedSize = uncompressedSize
        self.blob = blob.0
        compression = blob.1
    }

    /// Waits until the blob is completely written; may be called again.
    /// - Throws: ``LayerError`` when the blob could not be written.
    public func finish() throws(LayerError) -> LayerBlob {
        let written = try blob.wait()
        return LayerBlob(
            diffID: diffID,
            digest: written.digest,
            size: written.size,
            compression: compression,
            uncompressedSize: uncompressedSize
        )
    }

    /// What a later blob may copy of this one, once that is written; `nil` where it is small, or not compressed by gzip.
    /// - Throws: ``LayerError`` when the blob could not be written.
    public func pieces() throws(LayerError) -> KeptPieces? { try blob.wait().pieces }
}
