/// The part of TOML that registries.conf is written in: tables, arrays of tables, texts, flags, lists of them.
///
/// What else TOML knows (numbers, times) is read over; texts over several lines are refused.
/// Source: TOML 1.0.
struct TOMLDocument {
    enum Value: Hashable {
        case text(String)
        case flag(Bool)
        case list([Value])
        /// A value that nobody here asks for.
        case other
    }

    struct Entry: Hashable {
        var value: Value
        var line: Int
    }

    struct Table: Hashable {
        var name: [String]
        var line: Int
        var entries: [String: Entry] = [:]
    }

    /// A line that is not understood.
    struct Malformed: Error, Hashable {
        var line: Int
        var problem: String
    }

    /// In the order of the file, the nameless first one included; those of an array are tables of the same name.
    private(set) var tables = [Table(name: [], line: 1)]

    init(parsing bytes: [UInt8]) throws(Malformed) {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Malformed(line: 1, problem: "the file is not UTF-8")
        }
        var reader = TOMLReader(Array(text.unicodeScalars))
        while try reader.skipToStatement() {
            let line = reader.line
            if let name = try reader.header() {
                tables.append(Table(name: name, line: line))
            } else {
                let path = try reader.keyPath(until: "=")
                let value = try reader.value(depth: 0)
                let key = path.joined(separator: ".")
                guard tables[tables.count - 1].entries[key] == nil else {
                    throw Malformed(line: line, problem: "`\(RegistrySaying.shown(key))` is given twice")
                }
                tables[tables.count - 1].entries[key] = Entry(value: value, line: line)
            }
            try reader.endStatement()
        }
    }
}

extension TOMLDocument {
    /// The content of a file of the configuration.
    init(parsing bytes: [UInt8], path: String) throws(RegistryConfigurationError) {
        do throws(Malformed) {
            try self.init(parsing: bytes)
        } catch {
            throw RegistryConfigurationError(path: path, line: error.line, problem: error.problem)
        }
    }
}

/// Reads TOML from its beginning to its end.
struct TOMLReader {
    private typealias Malformed = TOMLDocument.Malformed
    private static let deepest = 16

    private let scalars: [Unicode.Scalar]
    private var index = 0
    private(set) var line = 1

    init(_ scalars: [Unicode.Scalar]) { self.scalars = scalars }

    private var next: Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

    private func malformed(_ problem: String) -> TOMLDocument.Malformed { Malformed(line: line, problem: problem) }

    private mutating func advance() {
        if next == "\n" { line += 1 }
        index += 1
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        advance()
        return true
    }

    private mutating func skipBlanks() {
        while next == " " || next == "\t" { advance() }
    }

    private mutating func skipComment() {
        guard next == "#" else { return }
        while let scalar = next, scalar != "\n" { _ = scalar; advance() }
    }

    /// Goes on to the next statement; `false` at the end.
    mutating func skipToStatement() throws(TOMLDocument.Malformed) -> Bool {
        while true {
            skipBlanks()
            skipComment()
            if next == "\r" { advance() }
            guard take("\n") else { return next != nil }
        }
    }

    mutating func endStatement() throws(TOMLDocument.Malformed) {
        skipBlanks()
        skipComment()
        if next == "\r" { advance() }
        guard next == nil || next == "\n" else { throw malformed("more follows where the line should end") }
    }

    /// `[name]` or `[[name]]`; `nil`, with nothing taken, where there is none.
    mutating func header() throws(TOMLDocument.Malformed) -> [String]? {
        guard take("[") else { return nil }
        let isArray = take("[")
        let name = try keyPath(until: "]")
        guard !isArray || take("]") else { throw malformed("`]]` is missing") }
        return name
    }

    /// Keys with dots between them, and what has to follow.
    mutating func keyPath(until end: Unicode.Scalar) throws(TOMLDocument.Malformed) -> [String] {
        var result: [String] = []
        repeat {
            skipBlanks()
            result.append(try key())
            skipBlanks()
        } while take(".")
        guard take(end) else {
            throw malformed("`\(end)` is missing after `\(RegistrySaying.shown(result.joined(separator: ".")))`")
        }
        return result
    }

    private mutating func key() throws(TOMLDocument.Malformed) -> String {
        if next == "\"" || next == "'" { return try text() }
        var result = String.UnicodeScalarView()
        while let scalar = next, Self.isBare(scalar) {
            result.append(scalar)
            advance()
        }
        guard !result.isEmpty else { throw malformed("a name is missing") }
        return String(result)
    }

    private static func isBare(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "-", "_": true
        default: false
        }
    }

    mutating func value(depth: Int) throws(TOMLDocument.Malformed) -> TOMLDocument.Value {
        guard depth < Self.deepest else { throw malformed("lists are nested too deeply") }
        skipBlanks()
        switch next {
        case "\"", "'": return .text(try text())
        case "[": return .list(try list(depth: depth))
        case "{":
            try skipInlineTable(depth: depth)
            return .other
        default: break
        }
        var word = ""
        while let scalar = next, Self.isBare(scalar) || "+.:".unicodeScalars.contains(scalar) {
            word.unicodeScalars.append(scalar)
            advance()
        }
        switch word {
        case "true": return .flag(true)
        case "false": return .flag(false)
        case "": throw malformed("a value is missing")
        default:
            // A number, a time, or one of the words for numbers that are none.
            guard word.first?.isNumber == true || ["+", "-"].contains(word.first) || ["inf", "nan"].contains(word)
            else {
                throw malformed("`\(word)` is no value: texts stand in quotes")
            }
            return .other
        }
    }

    private mutating func list(depth: Int) throws(TOMLDocument.Malformed) -> [TOMLDocument.Value] {
        var result: [TOMLDocument.Value] = []
        advance()
        while true {
            _ = try skipToStatement()
            if take("]") { return result }
            result.append(try value(depth: depth + 1))
            _ = try skipToStatement()
            if take("]") { return result }
            guard take(",") else { throw malformed("`,` or `]` is missing in a list") }
        }
    }

    private mutating func skipInlineTable(depth: Int) throws(TOMLDocument.Malformed) {
        advance()
        skipBlanks()
        if take("}") { return }
        repeat {
            _ = try keyPath(until: "=")
            _ = try value(depth: depth + 1)
            skipBlanks()
        } while take(",")
        guard take("}") else { throw malformed("`}` is missing") }
    }

    /// A text in quotes; with single ones it's taken as it stands.
    private mutating func text() throws(TOMLDocument.Malformed) -> String {
        let quote: Unicode.Scalar = next == "'" ? "'" : "\""
        advance()
        if next == quote, index + 1 < scalars.count, scalars[index + 1] == quote {
            throw malformed("texts over several lines are not supported here")
        }
        var result = String.UnicodeScalarView()
        while let scalar = next, scalar != "\n" {
            advance()
            if scalar == quote { return String(result) }
            result.append(scalar == "\\" && quote == "\"" ? try escape() : scalar)
        }
        throw malformed("the quote at the end of a text is missing")
    }

    private mutating func escape() throws(TOMLDocument.Malformed) -> Unicode.Scalar {
        guard let scalar = next else { throw malformed("the file ends in a text") }
        advance()
        switch scalar {
        case "\"", "\\": return scalar
        case "n": return "\n"
        case "t": return "\t"
        case "r": return "\r"
        case "b": return "\u{8}"
        case "f": return "\u{c}"
        case "u": return try hexadecimal(4)
        case "U": return try hexadecimal(8)
        default: throw malformed("`\\\(scalar)` means nothing in a text")
        }
    }

    private mutating func hexadecimal(_ count: Int) throws(TOMLDocument.Malformed) -> Unicode.Scalar {
        var value: UInt32 = 0
        for _ in 0..<count {
            guard let digit = next.flatMap({ Character($0).hexDigitValue }) else {
                throw malformed("a digit is missing")
            }
            value = value << 4 | UInt32(digit)
            advance()
        }
        guard let scalar = Unicode.Scalar(value) else { throw malformed("there is no such character") }
        return scalar
    }
}
