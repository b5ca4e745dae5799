import Glibc
import LayerDiff
import OCI

extension Store {
    /// A layer in the form that an output asks for: as it is where that will do, else rewritten, once.
    /// - Throws: ``LayerError``, ``StoreError``, ``HostFileError``, ``DatabaseError``.
    public func variant(_ variant: LayerVariant, work: WorkDirectory) throws -> LayerRecord {
        guard let source = try layer(variant.source) else { throw StoreError.missingLayer(variant.source) }
        var latest = variant.latestModification
        if let limit = latest, try index(of: variant.source).entries.allSatisfy({ $0.modified <= limit }) {
            latest = nil
        }
        if latest == nil, source.compression == variant.compression { return source }
        let name: [DatabaseValue] = [
            .text(variant.source.digest.hex), .text(variant.compression.rawValue), .text(latest.map { "\($0)" } ?? ""),
        ]
        let known = try database.query(
            "SELECT diff_id FROM variants WHERE source = ? AND compression = ? AND latest = ?",
            name
        )
        if let hex = known.first?[0].text {
            let diffID = DiffID(try Digest(parsing: "sha256:\(hex)"))
            if diffID != variant.source, let record = try layer(diffID) { return record }
        }
        let record = try rewrite(variant, latest: latest, work: work)
        // Another compression of the same tar has the same DiffID: the store keeps the first for its own use.
        if record.diffID != variant.source {
            try insert(record, tree: nil)
            try database.query(
                "INSERT OR REPLACE INTO variants (source, compression, latest, diff_id) VALUES (?, ?, ?, ?)",
                name + [.text(record.diffID.digest.hex)]
            )
        }
        return record
    }

    private func rewrite(_ variant: LayerVariant, latest: Int64?, work: WorkDirectory) throws -> LayerRecord {
        let temporary = work.unique("variant")
        let file = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw HostFileError("create", temporary, code: errno) }
        let output = OwnedDescriptor(owning: file, path: temporary)
        let compression: LayerCompression =
            switch variant.compression {
            case .none: .none
            case .gzip: .gzip
            case .zstd: .zstd(level: 3)
            }
        let options = LayerOptions(compression: compression, latestModification: latest)
        guard let record = try layer(variant.source) else { throw StoreError.missingLayer(variant.source) }
        try verify([record.descriptor])
        let blob = try openBlob(record.digest).withDescriptor { source in
            try output.withDescriptor { try LayerRewriter.rewrite(source, to: $0, options: options) }
        }
        try publishBlob(temporary, as: blob.digest)
        return LayerRecord(diffID: blob.diffID, digest: blob.digest, size: blob.size, compression: blob.compression)
    }
}
