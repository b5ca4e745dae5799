/// Reads the parser directives: `# name=value` lines before anything else in the file.
///
/// Dockerfile reference, "Parser directives": an unknown name, any other comment and a blank line end them; names are
/// not case-sensitive.
struct DirectiveReader {
    private(set) var directives = Directives()
    /// Stands before the first line that is no directive.
    private(set) var reader: LineReader
    private var seen: Set<String> = []

    init(_ reader: LineReader) throws(Diagnostic) {
        self.reader = reader
        var ahead = reader
        while let line = ahead.next(), try readDirective(line) {
            self.reader = ahead
        }
    }

    /// Takes the line if it is a directive.
    private mutating func readDirective(_ line: PhysicalLine) throws(Diagnostic) -> Bool {
        let bytes = reader.bytes
        let end = line.content.upperBound
        let sharp = bytes.skippingBlanks(line.content)
        guard sharp < end, bytes[sharp] == .hash else { return false }
        let nameStart = bytes.skippingBlanks((sharp + 1)..<end)
        var nameEnd = nameStart
        while nameEnd < end, bytes[nameEnd].isASCIILetter || (nameEnd > nameStart && bytes[nameEnd].isASCIIDigit) {
            nameEnd += 1
        }
        let sign = bytes.skippingBlanks(nameEnd..<end)
        guard nameEnd > nameStart, sign < end, bytes[sign] == .equals else { return false }
        let value = bytes.trimmingBlanks((sign + 1)..<end)
        guard !value.isEmpty else { return false }
        let name = bytes[nameStart..<nameEnd].text.asciiLowercased
        let range = SourceRange(
            start: line.position(at: value.lowerBound),
            end: line.position(at: value.upperBound)
        )
        return try record(name, value: Located(bytes[value].text, at: range))
    }

    private mutating func record(_ name: String, value: Located<String>) throws(Diagnostic) -> Bool {
        guard ["syntax", "escape", "check"].contains(name) else { return false }
        guard seen.insert(name).inserted else {
            throw Diagnostic(
                "the `\(name)` directive is given twice",
                at: value.range,
                notes: ["remove one of the two"]
            )
        }
        switch name {
        case "syntax": directives.syntax = value
        case "check": directives.check = value
        default:
            guard value.value == "\\" || value.value == "`" else {
                throw Diagnostic(
                    "the escape character cannot be `\(value.value)`",
                    at: value.range,
                    notes: ["it is a backslash (\\) or a backtick (`)"]
                )
            }
            directives.escape = Character(value.value)
        }
        return true
    }
}
