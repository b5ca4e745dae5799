import CISAL

/// Says where a tar is cut into the pieces that are compressed one by one.
///
/// By what is in the tar, not by how far it is: what is added in one place, or taken away, moves all that follows, and
/// yet most pieces are what they were in the layer before, so that they need not be compressed again. The cuts depend on
/// nothing but the tar's bytes.
enum PieceCutter {
    /// A piece is no smaller, but for the last: what pieces cost in size grows with their number.
    static let smallest = 128 << 10
    /// Cuts are where blocks of a tar begin.
    private static let block = 512
    /// One block in 256 begins a piece.
    private static let mask: UInt32 = 0xFF
    /// Not what a block of zeros has.
    private static let mark: UInt32 = 0xA5

    /// Where the piece that begins with `buffer` ends: before the first whole block that begins another one.
    ///
    /// - Parameters:
    ///   - buffer: The piece, and possibly more of the tar.
    ///   - seen: How much of it was looked at before; all that is whole when this comes back.
    /// - Returns: `nil` where no block in `buffer` begins a piece.
    static func end(of buffer: UnsafeRawBufferPointer, seen: inout Int) -> Int? {
        guard let start = buffer.baseAddress else { return nil }
        seen = max(seen, smallest)
        while seen + block <= buffer.count {
            let bytes = start.advanced(by: seen).assumingMemoryBound(to: UInt8.self)
            if crc32_gzip_refl(0, bytes, UInt64(block)) & mask == mark { return seen }
            seen += block
        }
        return nil
    }
}
