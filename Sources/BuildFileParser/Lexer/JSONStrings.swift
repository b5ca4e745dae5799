/// What a text is when it is read as a JSON array (RFC 8259).
enum JSONStrings {
    /// An array of strings, each with the place of its text between the quotes.
    case strings([Element])
    /// An array with something else than strings in it; the first such element's place.
    case otherArray(Range<Int>)
    /// Not an array, or not JSON at all: an instruction then has its shell form.
    case notArray

    struct Element {
        var value: String
        var range: Range<Int>
    }

    init(_ bytes: [UInt8], in range: Range<Int>) {
        guard !range.isEmpty, bytes[range.lowerBound] == UInt8(ascii: "[") else {
            self = .notArray
            return
        }
        var scanner = JSONScanner(bytes, in: range)
        self = scanner.readDocument()
    }
}

private struct JSONScanner {
    private static let nestingLimit = 64

    private let bytes: [UInt8]
    private let end: Int
    private var index: Int

    init(_ bytes: [UInt8], in range: Range<Int>) {
        self.bytes = bytes
        self.index = range.lowerBound
        self.end = range.upperBound
    }

    mutating func readDocument() -> JSONStrings {
        var elements: [JSONStrings.Element] = []
        var other: Range<Int>?
        let isArray = readList(close: UInt8(ascii: "]")) { scanner in
            if let element = scanner.readString() {
                elements.append(element)
                return true
            }
            let start = scanner.index
            guard scanner.skipValue(depth: 1) else { return false }
            other = other ?? start..<scanner.index
            return true
        }
        skipBlanks()
        guard isArray, index == end else { return .notArray }
        return other.map { .otherArray($0) } ?? .strings(elements)
    }

    /// Reads an array's or object's members, the opening bracket being next.
    private mutating func readList(close: UInt8, member: (inout JSONScanner) -> Bool) -> Bool {
        index += 1
        skipBlanks()
        if take(close) { return true }
        while true {
            skipBlanks()
            guard member(&self) else { return false }
            skipBlanks()
            if take(close) { return true }
            guard take(UInt8(ascii: ",")) else { return false }
        }
    }

    private mutating func skipValue(depth: Int) -> Bool {
        guard index < end, depth < Self.nestingLimit else { return false }
        switch bytes[index] {
        case .doubleQuote: return readString() != nil
        case UInt8(ascii: "["):
            return readList(close: UInt8(ascii: "]")) { $0.skipValue(depth: depth + 1) }
        case UInt8(ascii: "{"):
            return readList(close: UInt8(ascii: "}")) { scanner in
                guard scanner.readString() != nil else { return false }
                scanner.skipBlanks()
                guard scanner.take(UInt8(ascii: ":")) else { return false }
                scanner.skipBlanks()
                return scanner.skipValue(depth: depth + 1)
            }
        case UInt8(ascii: "t"): return skip("true")
        case UInt8(ascii: "f"): return skip("false")
        case UInt8(ascii: "n"): return skip("null")
        default: return skipNumber()
        }
    }

    private mutating func skipNumber() -> Bool {
        _ = take(.dash)
        if !take(UInt8(ascii: "0")) {
            guard skipDigits() else { return false }
        }
        if take(UInt8(ascii: ".")) {
            guard skipDigits() else { return false }
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(.dash) }
            return skipDigits()
        }
        return true
    }

    private mutating func skipDigits() -> Bool {
        let start = index
        while index < end, bytes[index].isASCIIDigit { index += 1 }
        return index > start
    }

    private mutating func readString() -> JSONStrings.Element? {
        guard take(.doubleQuote) else { return nil }
        let start = index
        var value: [UInt8] = []
        while index < end {
            let byte = bytes[index]
            index += 1
            switch byte {
            case .doubleQuote: return JSONStrings.Element(value: value.text, range: start..<(index - 1))
            case .backslash:
                guard let scalar = readEscape() else { return nil }
                value.append(contentsOf: Character(scalar).utf8)
            case 0..<0x20: return nil
            default: value.append(byte)
            }
        }
        return nil
    }

    private mutating func readEscape() -> Unicode.Scalar? {
        guard index < end else { return nil }
        defer { index += 1 }
        switch bytes[index] {
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return readUnicodeEscape()
        case .doubleQuote, .backslash, .slash: return Unicode.Scalar(bytes[index])
        default: return nil
        }
    }

    /// Reads `uXXXX`, and the other half of a surrogate pair; leaves `index` on the last digit.
    private mutating func readUnicodeEscape() -> Unicode.Scalar? {
        guard let unit = hexadecimal(at: index + 1) else { return nil }
        index += 4
        if let scalar = Unicode.Scalar(unit) { return scalar }
        guard UTF16.isLeadSurrogate(unit), bytes.has("\\u", at: index + 1, before: end),
            let trail = hexadecimal(at: index + 3), UTF16.isTrailSurrogate(trail)
        else { return "\u{FFFD}" }
        index += 6
        return Unicode.Scalar(0x10000 + UInt32(unit & 0x3FF) << 10 + UInt32(trail & 0x3FF))
    }

    private func hexadecimal(at start: Int) -> UInt16? {
        guard start + 4 <= end else { return nil }
        var value: UInt16 = 0
        for byte in bytes[start..<(start + 4)] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else { return nil }
            value = value << 4 | UInt16(digit)
        }
        return value
    }

    private mutating func skip(_ word: StaticString) -> Bool {
        guard bytes.has(word, at: index, before: end) else { return false }
        index += word.utf8CodeUnitCount
        return true
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard index < end, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    private mutating func skipBlanks() {
        while index < end, [.space, .tab, .newline, .carriageReturn].contains(bytes[index]) { index += 1 }
    }
}
