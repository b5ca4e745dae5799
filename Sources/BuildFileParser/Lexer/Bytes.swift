extension UInt8 {
    static let newline = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")
    static let tab = UInt8(ascii: "\t")
    static let space = UInt8(ascii: " ")
    static let backslash = UInt8(ascii: "\\")
    static let singleQuote = UInt8(ascii: "'")
    static let doubleQuote = UInt8(ascii: "\"")
    static let dollar = UInt8(ascii: "$")
    static let equals = UInt8(ascii: "=")
    static let comma = UInt8(ascii: ",")
    static let hash = UInt8(ascii: "#")
    static let slash = UInt8(ascii: "/")
    static let less = UInt8(ascii: "<")
    static let star = UInt8(ascii: "*")
    static let dash = UInt8(ascii: "-")

    /// Space, tab, line feed, vertical tab, form feed or carriage return.
    var isBlank: Bool { self == .space || (0x09...0x0D).contains(self) }

    var isASCIIDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    var isASCIILetter: Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(asciiLowercased)
    }

    var asciiLowercased: UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self
    }

    var asciiUppercased: UInt8 {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) ? self & ~0x20 : self
    }
}

extension Collection where Element == UInt8 {
    /// The text of the bytes; what is not UTF-8 becomes U+FFFD.
    var text: String { String(decoding: self, as: UTF8.self) }
}

extension String {
    var asciiLowercased: String { String(decoding: utf8.map(\.asciiLowercased), as: UTF8.self) }
    var asciiUppercased: String { String(decoding: utf8.map(\.asciiUppercased), as: UTF8.self) }
}

extension Array where Element == UInt8 {
    /// The part of `range` without blanks at either end.
    func trimmingBlanks(_ range: Range<Int>) -> Range<Int> {
        let start = skippingBlanks(range)
        var end = range.upperBound
        while end > start, self[end - 1].isBlank { end -= 1 }
        return start..<end
    }

    /// The index of the first byte of `range` that is not blank, or the range's end.
    func skippingBlanks(_ range: Range<Int>) -> Int {
        var index = range.lowerBound
        while index < range.upperBound, self[index].isBlank { index += 1 }
        return index
    }

    /// Whether `prefix` stands at `index`, before `end`.
    func has(_ prefix: StaticString, at index: Int, before end: Int) -> Bool {
        let count = prefix.utf8CodeUnitCount
        guard end - index >= count else { return false }
        return prefix.withUTF8Buffer { buffer in
            for offset in 0..<count where self[index + offset] != buffer[offset] { return false }
            return true
        }
    }
}

/// A character of UTF-8 text: its scalar and how many bytes it takes.
///
/// A byte that is not UTF-8 counts as one character, U+FFFD, so that names of any bytes can be matched.
struct DecodedScalar {
    var value: UInt32
    var width: Int

    /// Decodes what stands at `index`, which must be below `end`.
    init(in bytes: [UInt8], at index: Int, before end: Int) {
        let first = bytes[index]
        self = DecodedScalar(value: UInt32(first), width: 1)
        guard first >= 0x80 else { return }
        let width: Int
        var value: UInt32
        switch first {
        case 0xC2...0xDF: (width, value) = (2, UInt32(first & 0x1F))
        case 0xE0...0xEF: (width, value) = (3, UInt32(first & 0x0F))
        case 0xF0...0xF4: (width, value) = (4, UInt32(first & 0x07))
        default: (width, value) = (0, 0)
        }
        self.value = 0xFFFD
        guard width > 0, index + width <= end else { return }
        for offset in 1..<width {
            let byte = bytes[index + offset]
            guard byte & 0xC0 == 0x80 else { return }
            value = value << 6 | UInt32(byte & 0x3F)
        }
        let smallest: UInt32 = width == 2 ? 0x80 : width == 3 ? 0x800 : 0x10000
        guard value >= smallest, Unicode.Scalar(value) != nil else { return }
        self = DecodedScalar(value: value, width: width)
    }

    private init(value: UInt32, width: Int) {
        self.value = value
        self.width = width
    }
}
