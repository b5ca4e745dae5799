import LayerDiff
import OCI

extension Store {
    /// Smaller tars are compressed in no time.
    private static let fewestBytes: Int64 = 4 << 20

    private func piecesPath(_ blob: Digest) -> String { "\(root)/pieces/\(blob.hex)" }

    /// Keeps what a later layer may copy of this one's blob, where that is worth it.
    /// - Throws: ``HostFileError``.
    public func keep(_ pieces: KeptPieces, of blob: LayerBlob) throws(HostFileError) {
        guard blob.uncompressedSize >= Self.fewestBytes else { return }
        try HostFile.write(pieces.encoded(), to: piecesPath(blob.digest))
    }

    /// What may be copied of a layer's blob; `nil` where nothing was kept, or the blob is gone.
    public func pieces(of diffID: DiffID) -> ReusablePieces? {
        // Without it a layer costs more time, no more than that.
        guard let record = try? layer(diffID),
            let bytes = try? HostFile.read(piecesPath(record.digest), limit: 64 << 20),
            let kept = KeptPieces(decoding: bytes), let blob = try? openBlob(record.digest)
        else { return nil }
        return ReusablePieces(kept, of: blob)
    }
}
