/// An instruction's text with its continuation lines joined, and where each part of it stands in the file.
struct LogicalLine: Sendable, Hashable {
    /// A part of the text that is in one piece in the file.
    private struct Piece: Sendable, Hashable {
        var offset: Int
        var position: SourcePosition
    }

    private(set) var bytes: [UInt8] = []
    private var first: Piece?
    /// The pieces after the first: most lines have none.
    private var more: [Piece] = []
    /// The comments directly above the instruction, without their `#` and the blanks around.
    var comments: [Located<String>] = []
    /// The first blank line between its continuation lines.
    var blankLine: SourcePosition?
    /// The number of its last line.
    private(set) var lastLine = 1

    mutating func append(_ slice: ArraySlice<UInt8>, at position: SourcePosition) {
        lastLine = position.line
        guard !slice.isEmpty else { return }
        let piece = Piece(offset: bytes.count, position: position)
        if first == nil { first = piece } else { more.append(piece) }
        bytes.append(contentsOf: slice)
    }

    mutating func trimTrailingBlanks() {
        while let last = bytes.last, last.isBlank { bytes.removeLast() }
    }

    /// The place in the file of the byte at `offset`.
    func position(at offset: Int) -> SourcePosition {
        guard var piece = first else { return SourcePosition(line: 1, column: 1) }
        var low = 0
        var high = more.count
        while low < high {
            let middle = (low + high) / 2
            if more[middle].offset <= offset { low = middle + 1 } else { high = middle }
        }
        if low > 0 { piece = more[low - 1] }
        return SourcePosition(line: piece.position.line, column: piece.position.column + offset - piece.offset)
    }

    func sourceRange(_ range: Range<Int>) -> SourceRange {
        let start = position(at: range.lowerBound)
        guard !range.isEmpty else { return SourceRange(start: start, end: start) }
        // The end belongs to the last byte: what follows it may stand on another line.
        var end = position(at: range.upperBound - 1)
        end.column += 1
        return SourceRange(start: start, end: end)
    }

    func text(_ range: Range<Int>) -> String { bytes[range].text }

    func located(_ range: Range<Int>) -> Located<String> { Located(text(range), at: sourceRange(range)) }
}
