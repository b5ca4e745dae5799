/// Where a tar's bytes come from, piece by piece.
protocol TarSource: AnyObject {
    /// The next piece, valid until the next call; `nil` at the end.
    func next() throws(LayerError) -> UnsafeRawBufferPointer?
}

/// A reading position in the pieces of a source.
final class TarCursor {
    private let source: any TarSource
    private var piece = UnsafeRawBufferPointer(start: nil, count: 0)

    init(_ source: any TarSource) {
        self.source = source
    }

    /// Up to `most` bytes, as many as lie together; none only at the end.
    func take(atMost most: Int64) throws(LayerError) -> UnsafeRawBufferPointer {
        while piece.isEmpty {
            guard let next = try source.next() else { return piece }
            piece = next
        }
        let count = Int(min(most, Int64(piece.count)))
        defer { piece = UnsafeRawBufferPointer(rebasing: piece.dropFirst(count)) }
        return UnsafeRawBufferPointer(rebasing: piece.prefix(count))
    }

    /// Appends `count` bytes to `bytes`, fewer only at the end.
    func append(_ count: Int, to bytes: inout [UInt8]) throws(LayerError) {
        let end = bytes.count + count
        while bytes.count < end {
            let part = try take(atMost: Int64(end - bytes.count))
            if part.isEmpty { return }
            bytes.append(contentsOf: part)
        }
    }

    /// Passes over `count` bytes.
    ///
    /// - Throws: ``LayerError`` when there are fewer.
    func skip(_ count: Int64) throws(LayerError) {
        var rest = count
        while rest > 0 {
            let part = try take(atMost: rest)
            if part.isEmpty { throw LayerError(.truncated) }
            rest -= Int64(part.count)
        }
    }
}
