import OCI
import SystemPackage

/// Writes layers anew.
public enum LayerRewriter {
    /// Writes the layer in `blob`, a file that is read from its start, to `output` as `options` say.
    ///
    /// Where no time has to change, the tar stays as it is to the byte, and so does its digest; else it is written
    /// anew, entry by entry in the same order, as swbuild writes tars.
    /// - Throws: ``LayerError`` when the blob is damaged or `output` cannot be written.
    public static func rewrite(
        _ blob: FileDescriptor,
        to output: FileDescriptor,
        options: LayerOptions
    ) throws(LayerError) -> LayerBlob {
        let limits = LayerLimits(maxEntries: .max, maxBytes: .max)
        guard let latest = options.latestModification, try hasLaterTimes(blob, than: latest, limits) else {
            return try recompress(blob, to: output, limits, options)
        }
        let source = try BlobSource(blob, limits: limits)
        var writer = try TarWriter(blob: output, options: options)
        try LayerReader.forEachMember(of: source) { (member, reader) throws(LayerError) in
            try copy(member, from: reader, to: &writer)
        }
        return try writer.finish().finish()
    }

    private static func hasLaterTimes(
        _ blob: FileDescriptor,
        than latest: Int64,
        _ limits: LayerLimits
    ) throws(LayerError) -> Bool {
        let reader = TarReader(try BlobSource(blob, limits: limits))
        while let member = try reader.next() {
            if member.modified > latest { return true }
        }
        return false
    }

    private static func recompress(
        _ blob: FileDescriptor,
        to output: FileDescriptor,
        _ limits: LayerLimits,
        _ options: LayerOptions
    ) throws(LayerError) -> LayerBlob {
        let source = try BlobSource(blob, limits: limits)
        let pipeline = try LayerPipeline(blob: output, options: options)
        while let piece = try source.next() { try pipeline.write(piece) }
        let (diffID, pending) = try pipeline.finish()
        let written = try pending.wait()
        return LayerBlob(
            diffID: diffID,
            digest: written.digest,
            size: written.size,
            compression: options.compression.blobCompression,
            uncompressedSize: pipeline.size
        )
    }

    private static func copy(
        _ member: LayerMember,
        from reader: TarReader,
        to writer: inout TarWriter
    ) throws(LayerError) {
        switch member {
        case .ignored: return
        case .whiteout(let path): _ = try writer.begin(.whiteout(path))
        case .opaque(let path): try writer.opaque(path)
        case .entry(let entry):
            let size = try writer.begin(entry)
            guard size > 0 else { return }
            var position: Int64 = 0
            try reader.content { (piece, offset) throws(LayerError) in
                try writer.zeros(offset - position)
                try writer.content(piece)
                position = offset + Int64(piece.count)
            }
            guard position <= size else {
                throw LayerError(.corrupt(why: "\(entry.path) is longer than its header says"))
            }
            try writer.zeros(size - position)
            try writer.pad(size)
        }
    }
}
