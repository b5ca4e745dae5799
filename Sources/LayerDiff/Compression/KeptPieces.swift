import OCI

/// What is kept of the pieces that a blob was put together of, so that a later blob can take those that are the same.
///
/// A piece that is copied is what compressing it again would give: blobs do not depend on what was there to copy.
public struct KeptPieces: Sendable, Hashable {
    /// One piece of a blob.
    struct Piece: Sendable, Hashable {
        /// Of what the piece unpacks to.
        var content: Fingerprint
        /// Of the piece itself.
        var compressed: Fingerprint
        /// Where in the blob it is.
        var offset: Int64
        var size: Int
    }

    private static let header = Array("swbuild-pieces-1\n".utf8)
    private static let pieceSize = 2 * Fingerprint.size + 8 + 4

    /// What the fingerprints were made with; the next blob's are made with it too.
    let key: FingerprintKey
    var pieces: [Piece] = []

    init(key: FingerprintKey) {
        self.key = key
    }

    /// Reads what ``encoded()`` wrote; `nil` for anything else.
    public init?(decoding bytes: [UInt8]) {
        let head = Self.header.count + FingerprintKey.size + Self.encoderName.count
        guard bytes.count >= head, (bytes.count - head).isMultiple(of: Self.pieceSize), bytes.starts(with: Self.header),
            bytes[..<head].suffix(Self.encoderName.count).elementsEqual(Self.encoderName),
            let key = FingerprintKey(bytes: bytes[Self.header.count..<(Self.header.count + FingerprintKey.size)])
        else { return nil }
        self.key = key
        bytes.withUnsafeBytes { buffer in
            pieces = stride(from: head, to: bytes.count, by: Self.pieceSize).map { start in
                let fields = UnsafeRawBufferPointer(rebasing: buffer[start..<(start + Self.pieceSize)])
                return Self.piece(fields)
            }
        }
    }

    /// Another encoder's pieces, another level's, library's or processor's, would make other blobs: what the encoder
    /// makes of a sample is a part of its name.
    private static let encoderName: [UInt8] = {
        let sample = (0..<65_536).map { UInt8(truncatingIfNeeded: ($0 &* $0) >> 7) }
        let made = sample.withUnsafeBytes { try? DeflateCompressor().compress($0) } ?? []
        return Array("\(LayerCompression.gzip.encoderName) \(Digest(of: made).hex)\n".utf8)
    }()

    private static func piece(_ fields: UnsafeRawBufferPointer) -> Piece {
        let rest = 2 * Fingerprint.size
        return Piece(
            content: Fingerprint(bytes: UnsafeRawBufferPointer(rebasing: fields[..<Fingerprint.size])),
            compressed: Fingerprint(bytes: UnsafeRawBufferPointer(rebasing: fields[Fingerprint.size..<rest])),
            offset: Int64(littleEndian: fields.loadUnaligned(fromByteOffset: rest, as: Int64.self)),
            size: Int(UInt32(littleEndian: fields.loadUnaligned(fromByteOffset: rest + 8, as: UInt32.self)))
        )
    }

    /// The bytes to keep.
    public func encoded() -> [UInt8] {
        var bytes = Self.header + key.bytes + Self.encoderName
        bytes.reserveCapacity(bytes.count + pieces.count * Self.pieceSize)
        for piece in pieces {
            bytes += piece.content.bytes + piece.compressed.bytes
            withUnsafeBytes(of: piece.offset.littleEndian) { bytes.append(contentsOf: $0) }
            withUnsafeBytes(of: UInt32(clamping: piece.size).littleEndian) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }
}

/// A blob of the store with its pieces: what a new blob may copy from.
public final class ReusablePieces: Sendable {
    let key: FingerprintKey
    private let blob: OwnedDescriptor
    private let pieces: [Fingerprint: KeptPieces.Piece]

    /// Pairs pieces with the blob that they are pieces of.
    public init(_ kept: KeptPieces, of blob: OwnedDescriptor) {
        key = kept.key
        self.blob = blob
        pieces = Dictionary(kept.pieces.map { ($0.content, $0) }) { first, _ in first }
    }

    /// The piece that unpacks to what has this fingerprint; `nil` where the blob has none, or is damaged there.
    func compressed(_ content: Fingerprint) -> (bytes: [UInt8], fingerprint: Fingerprint)? {
        // Whatever the file says: no piece is larger.
        guard let piece = pieces[content], piece.size <= 2 * ChunkRing.chunkSize, piece.offset >= 0 else { return nil }
        var isWhole = false
        let bytes = [UInt8](unsafeUninitializedCapacity: piece.size) { buffer, count in
            count = (try? blob.read(into: UnsafeMutableRawBufferPointer(buffer), at: piece.offset)) ?? 0
            isWhole = count == piece.size
        }
        guard isWhole else { return nil }
        let fingerprint = bytes.withUnsafeBytes { key.fingerprint(of: $0) }
        return fingerprint == piece.compressed ? (bytes, piece.compressed) : nil
    }
}
