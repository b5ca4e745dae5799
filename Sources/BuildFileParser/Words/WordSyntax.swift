/// A part of a word: what the expansion puts there.
enum WordPart: Sendable {
    /// Text as it is; `quoted` where quotes or an escape take away any special meaning.
    case text(ArraySlice<UInt8>, quoted: Bool)
    /// A variable, in double quotes or not.
    case variable(name: String, form: Substitution, quoted: Bool, range: Range<Int>)
}

/// What is done with a variable's value (Dockerfile reference, "Environment replacement").
indirect enum Substitution: Sendable {
    /// `$x`, `${x}`
    case value
    /// `${x:-word}`, and without the colon `${x-word}`, where a variable that is empty counts as set.
    case defaultValue([WordPart], emptyIsUnset: Bool)
    /// `${x:+word}`, `${x+word}`
    case alternative([WordPart], emptyIsUnset: Bool)
    /// `${x:?message}`, `${x?message}`
    case required([WordPart], emptyIsUnset: Bool)
    /// `${x#pattern}`, `${x##pattern}`
    case withoutPrefix([WordPart], longest: Bool)
    /// `${x%pattern}`, `${x%%pattern}`
    case withoutSuffix([WordPart], longest: Bool)
    /// `${x/pattern/replacement}`, `${x//pattern/replacement}`
    case replacing([WordPart], with: [WordPart], all: Bool)
}

/// Takes a word apart: quotes, escapes and variables.
struct WordSyntaxParser {
    /// How deep `${x:-${y:-…}}` may go.
    private static let nestingLimit = 64

    private let bytes: [UInt8]
    private let escape: UInt8
    /// Here-documents keep their quotes: those are text like any other.
    private let quotesAreText: Bool
    private var index = 0
    private var depth = 0
    /// Whether escape characters stay in the text, beside what they escape.
    private var keepsEscapes = false

    init(_ bytes: [UInt8], escape: UInt8, quotesAreText: Bool = false) {
        self.bytes = bytes
        self.escape = escape
        self.quotesAreText = quotesAreText
    }

    mutating func parse() throws(WordError) -> [WordPart] {
        try parts(until: nil)
    }

    /// Reads up to `stop`, or a closing brace where there is one, and leaves `index` there.
    private mutating func parts(until stop: UInt8?) throws(WordError) -> [WordPart] {
        var result: [WordPart] = []
        var start = index
        func flush(_ end: Int) {
            if end > start { result.append(.text(bytes[start..<end], quoted: false)) }
        }
        while index < bytes.count {
            let byte = bytes[index]
            if let stop, byte == stop || byte == UInt8(ascii: "}") { break }
            if byte == escape {
                flush(index)
                // An escape character that ends the word escapes nothing and is dropped.
                let width =
                    index + 1 < bytes.count ? DecodedScalar(in: bytes, at: index + 1, before: bytes.count).width : 0
                let kept = keepsEscapes ? index : index + 1
                result.append(.text(bytes[kept..<(index + 1 + width)], quoted: true))
                index += 1 + width
                start = index
            } else if byte == .dollar {
                flush(index)
                result.append(try variable(quoted: false))
                start = index
            } else if !quotesAreText, byte == .singleQuote || byte == .doubleQuote {
                flush(index)
                result += byte == .singleQuote ? [try singleQuoted()] : try doubleQuoted()
                start = index
            } else {
                index += 1
            }
        }
        flush(index)
        return result
    }

    private mutating func singleQuoted() throws(WordError) -> WordPart {
        let open = index
        guard let close = bytes[(open + 1)...].firstIndex(of: .singleQuote) else {
            throw WordError("a single quote (') is not closed", at: open..<bytes.count)
        }
        index = close + 1
        return .text(bytes[(open + 1)..<close], quoted: true)
    }

    private mutating func doubleQuoted() throws(WordError) -> [WordPart] {
        let open = index
        var result: [WordPart] = []
        index += 1
        var start = index
        while index < bytes.count, bytes[index] != .doubleQuote {
            let byte = bytes[index]
            if byte == .dollar {
                result.append(.text(bytes[start..<index], quoted: true))
                result.append(try variable(quoted: true))
                start = index
            } else if byte == escape, index + 1 < bytes.count, isEscapedInQuotes(bytes[index + 1]) {
                result.append(.text(bytes[start..<index], quoted: true))
                start = keepsEscapes ? index : index + 1
                index += 2
            } else {
                index += 1
            }
        }
        guard index < bytes.count else {
            throw WordError("a double quote (\") is not closed", at: open..<bytes.count)
        }
        result.append(.text(bytes[start..<index], quoted: true))
        index += 1
        return result
    }

    private func isEscapedInQuotes(_ byte: UInt8) -> Bool {
        byte == .doubleQuote || byte == .dollar || byte == escape
    }
}

extension WordSyntaxParser {
    /// Reads `$name` or `${…}`; a dollar before anything else stands for itself.
    private mutating func variable(quoted: Bool) throws(WordError) -> WordPart {
        let start = index
        index += 1
        guard index < bytes.count, bytes[index] == UInt8(ascii: "{") else {
            let name = readName()
            guard !name.isEmpty else { return .text(bytes[start..<index], quoted: quoted) }
            return .variable(name: name, form: .value, quoted: quoted, range: start..<index)
        }
        index += 1
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.nestingLimit else {
            throw WordError("more than \(Self.nestingLimit) `${` inside one another", at: start..<index)
        }
        let name = readName()
        if index >= bytes.count { throw unclosed(start) }
        guard !name.isEmpty else { throw badSubstitution(start) }
        let form = try substitution(from: start)
        guard index < bytes.count else { throw unclosed(start) }
        guard bytes[index] == UInt8(ascii: "}") else { throw badSubstitution(start) }
        index += 1
        return .variable(name: name, form: form, quoted: quoted, range: start..<index)
    }

    /// Reads what follows the name in `${name…}` and leaves `index` on the closing brace.
    private mutating func substitution(from start: Int) throws(WordError) -> Substitution {
        let brace = UInt8(ascii: "}")
        let outer = keepsEscapes
        keepsEscapes = false
        defer { keepsEscapes = outer }
        let emptyIsUnset = take(UInt8(ascii: ":"))
        guard index < bytes.count else { throw unclosed(start) }
        let operation = bytes[index]
        if operation == brace, !emptyIsUnset { return .value }
        index += 1
        switch operation {
        case .dash: return .defaultValue(try parts(until: brace), emptyIsUnset: emptyIsUnset)
        case UInt8(ascii: "+"): return .alternative(try parts(until: brace), emptyIsUnset: emptyIsUnset)
        case UInt8(ascii: "?"): return .required(try parts(until: brace), emptyIsUnset: emptyIsUnset)
        case .hash where !emptyIsUnset:
            let longest = take(.hash)
            return .withoutPrefix(try parts(until: brace), longest: longest)
        case UInt8(ascii: "%") where !emptyIsUnset:
            let longest = take(UInt8(ascii: "%"))
            return .withoutSuffix(try parts(until: brace), longest: longest)
        case .slash where !emptyIsUnset:
            let all = take(.slash)
            let pattern = try parts(until: .slash)
            guard index < bytes.count else { throw unclosed(start) }
            guard take(.slash) else {
                throw WordError("`\(shown(start))` has no second `/`", at: start..<(index + 1))
            }
            return .replacing(pattern, with: try replacement(), all: all)
        default:
            throw badSubstitution(start)
        }
    }

    /// Reads the replacement in `${name/pattern/replacement}`, where escapes stay as written.
    private mutating func replacement() throws(WordError) -> [WordPart] {
        keepsEscapes = true
        return try parts(until: UInt8(ascii: "}"))
    }

    /// Reads a variable's name: letters, digits and `_`, or digits alone, or one of the shell's special parameters.
    private mutating func readName() -> String {
        let start = index
        guard index < bytes.count else { return "" }
        if bytes[index].isASCIIDigit {
            while index < bytes.count, bytes[index].isASCIIDigit { index += 1 }
            return bytes[start..<index].text
        }
        switch bytes[index] {
        case UInt8(ascii: "@"), .star, .hash, UInt8(ascii: "?"), .dash, .dollar, UInt8(ascii: "!"):
            index += 1
            return bytes[start..<index].text
        default:
            break
        }
        while index < bytes.count {
            let character = DecodedScalar(in: bytes, at: index, before: bytes.count)
            guard Self.isNameCharacter(character.value) else { break }
            index += character.width
        }
        return bytes[start..<index].text
    }

    private static func isNameCharacter(_ value: UInt32) -> Bool {
        if let ascii = UInt8(exactly: value), ascii < 0x80 {
            return ascii.isASCIILetter || ascii.isASCIIDigit || ascii == UInt8(ascii: "_")
        }
        switch Unicode.Scalar(value)?.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return true
        default: return false
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    private func unclosed(_ start: Int) -> WordError {
        WordError("`\(shown(start))` has no closing brace", at: start..<bytes.count)
    }

    private func badSubstitution(_ start: Int) -> WordError {
        let end = bytes[start...].firstIndex(of: UInt8(ascii: "}")).map { $0 + 1 } ?? bytes.count
        return WordError(
            "`\(bytes[start..<end].prefix(40).text)` is a bad substitution",
            at: start..<end,
            notes: ["known are ${x}, ${x:-d}, ${x:+a}, ${x:?m}, ${x#p}, ${x%p} and ${x/p/r}"]
        )
    }

    /// The beginning of what starts at `start`, for a message.
    private func shown(_ start: Int) -> String { bytes[start...].prefix(40).text }
}

/// What is wrong with a word, and in which of its bytes.
struct WordError: Error {
    var message: String
    var range: Range<Int>
    var notes: [String]

    init(_ message: String, at range: Range<Int>, notes: [String] = []) {
        self.message = message
        self.range = range
        self.notes = notes
    }
}
