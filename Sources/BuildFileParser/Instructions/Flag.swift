/// `--name=value` or `--name` before an instruction's arguments, its quotes and escapes already removed.
struct Flag: Sendable {
    var name: String
    /// The text after `=`, `nil` where there is none.
    var value: FlagText?
    /// The whole flag.
    var range: Range<Int>
}

/// Text of a flag, and for each of its bytes the place that it has in the logical line.
struct FlagText: Sendable {
    private(set) var bytes: [UInt8] = []
    private let start: Int
    /// The place of each byte; empty as long as quotes and escapes have left no gap.
    private var offsets: [Int] = []
    /// The place after the text.
    private(set) var end: Int

    init(at offset: Int) {
        self.start = offset
        self.end = offset
    }

    mutating func append(_ byte: UInt8, from offset: Int) {
        if offsets.isEmpty, offset != start + bytes.count { offsets = Array(start..<(start + bytes.count)) }
        bytes.append(byte)
        if !offsets.isEmpty || offset != start + bytes.count - 1 { offsets.append(offset) }
        end = offset + 1
    }

    mutating func reserveCapacity(_ count: Int) { bytes.reserveCapacity(count) }

    func offset(_ index: Int) -> Int { offsets.isEmpty ? start + index : offsets[index] }

    /// The place in the logical line of a part of the text.
    func lineRange(_ range: Range<Int>) -> Range<Int> {
        let start = range.lowerBound < bytes.count ? offset(range.lowerBound) : end
        guard !range.isEmpty else { return start..<start }
        return start..<(offset(range.upperBound - 1) + 1)
    }

    func suffix(from index: Int) -> FlagText {
        var result = FlagText(at: index < bytes.count ? offset(index) : end)
        result.bytes.reserveCapacity(bytes.count - index)
        for position in index..<bytes.count { result.append(bytes[position], from: offset(position)) }
        return result
    }
}

/// Takes the flags off the front of an instruction's arguments.
struct FlagReader {
    private(set) var flags: [Flag] = []
    /// Where what follows the flags begins.
    private(set) var rest: Int
    private let bytes: [UInt8]
    private let end: Int
    private let escape: UInt8

    init(_ bytes: [UInt8], in range: Range<Int>, escape: UInt8) {
        self.bytes = bytes
        self.rest = range.lowerBound
        self.end = range.upperBound
        self.escape = escape
        while bytes.has("--", at: rest, before: end) {
            let start = rest
            let text = readWord()
            rest = bytes.skippingBlanks(rest..<end)
            // A bare `--` ends the flags, for a command that begins with dashes itself.
            if text.bytes.count == 2 { break }
            flags.append(Self.flag(text, start: start))
        }
    }

    private static func flag(_ text: FlagText, start: Int) -> Flag {
        let sign = text.bytes.firstIndex(of: .equals)
        return Flag(
            name: text.bytes[2..<(sign ?? text.bytes.count)].text,
            value: sign.map { text.suffix(from: $0 + 1) },
            range: start..<text.end
        )
    }

    private mutating func readWord() -> FlagText {
        var text = FlagText(at: rest)
        text.reserveCapacity(64)
        var quote: UInt8?
        while rest < end {
            let byte = bytes[rest]
            if byte == escape {
                rest += 1
                if rest < end { text.append(bytes[rest], from: rest) }
            } else if let open = quote {
                if byte == open { quote = nil } else { text.append(byte, from: rest) }
            } else if byte == .singleQuote || byte == .doubleQuote {
                quote = byte
            } else if byte.isBlank {
                break
            } else {
                text.append(byte, from: rest)
            }
            rest += 1
        }
        rest = min(rest, end)
        return text
    }
}
