/// A line of the file as it stands there.
struct PhysicalLine {
    /// Counts from 1.
    var number: Int
    /// Its bytes without the line end, `\n` or `\r\n`.
    var content: Range<Int>
    /// Where the next line begins.
    var next: Int

    func position(at offset: Int) -> SourcePosition {
        SourcePosition(line: number, column: offset - content.lowerBound + 1)
    }
}

/// Takes a file's lines one after the other; a byte order mark at its start is skipped.
struct LineReader {
    let bytes: [UInt8]
    /// Where the next line begins.
    private(set) var offset: Int
    /// The number of the next line.
    private(set) var number = 1

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        self.offset = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    }

    mutating func next() -> PhysicalLine? {
        guard offset < bytes.count else { return nil }
        let start = offset
        var end = start
        while end < bytes.count, bytes[end] != .newline { end += 1 }
        offset = min(end + 1, bytes.count)
        while end > start, bytes[end - 1] == .carriageReturn { end -= 1 }
        defer { number += 1 }
        return PhysicalLine(number: number, content: start..<end, next: offset)
    }
}
