/// Joins a file's lines into logical lines: comments and blank lines left out, continuations followed.
///
/// Here-documents are read on demand, since only the instruction that a line turns out to be says whether it has any.
struct Lexer {
    private var reader: LineReader
    let escape: UInt8

    init(_ reader: LineReader, escape: UInt8) {
        self.reader = reader
        self.escape = escape
    }

    /// The next line that holds anything.
    mutating func nextLine() -> LogicalLine? {
        while let first = reader.next() {
            let start = reader.bytes.skippingBlanks(first.content)
            guard start < first.content.upperBound, reader.bytes[start] != .hash else { continue }
            var line = LogicalLine()
            var physical = first
            var content = start..<first.content.upperBound
            while true {
                let continued = withoutContinuation(content)
                let kept = continued ?? content
                line.append(reader.bytes[kept], at: physical.position(at: kept.lowerBound))
                guard continued != nil, let next = nextContinuation() else { break }
                physical = next
                content = next.content
            }
            line.trimTrailingBlanks()
            if !line.bytes.isEmpty { return line }
        }
        return nil
    }

    /// The next line inside a continued instruction: comments and blank lines between do not end it.
    private mutating func nextContinuation() -> PhysicalLine? {
        while let line = reader.next() {
            let start = reader.bytes.skippingBlanks(line.content)
            if start < line.content.upperBound, reader.bytes[start] != .hash { return line }
        }
        return nil
    }

    /// What precedes the escape character that ends `content`, or `nil` where nothing continues it.
    ///
    /// Blanks may follow the escape character; two of them are an escaped one and continue nothing.
    private func withoutContinuation(_ content: Range<Int>) -> Range<Int>? {
        var end = content.upperBound
        while end > content.lowerBound, reader.bytes[end - 1].isBlank { end -= 1 }
        guard end > content.lowerBound, reader.bytes[end - 1] == escape else { return nil }
        if end - 1 > content.lowerBound, reader.bytes[end - 2] == escape { return nil }
        return content.lowerBound..<(end - 1)
    }

    /// Reads the here-document that `word` announces: everything up to the line that is its delimiter and no more.
    mutating func readHeredoc(_ word: HeredocWord, at range: SourceRange) throws(Diagnostic) -> Heredoc {
        let start = reader.offset
        var end = start
        var stripped: [UInt8] = []
        var notes = ["a line that is just `\(word.name.text)` has to follow"]
        while let line = reader.next() {
            var content = line.content
            if word.stripsTabs {
                while content.lowerBound < content.upperBound, reader.bytes[content.lowerBound] == .tab {
                    content = (content.lowerBound + 1)..<content.upperBound
                }
            }
            if reader.bytes[content].elementsEqual(word.name) {
                let raw = reader.bytes[start..<end].text
                return Heredoc(
                    name: word.name.text,
                    content: word.stripsTabs ? stripped.text : raw,
                    rawContent: raw,
                    expands: word.expands,
                    stripsTabs: word.stripsTabs,
                    range: range
                )
            }
            if notes.count == 1, reader.bytes[reader.bytes.trimmingBlanks(content)].elementsEqual(word.name) {
                notes.append("line \(line.number) does not end it: there are blanks beside `\(word.name.text)`")
            }
            if word.stripsTabs { stripped.append(contentsOf: reader.bytes[content.lowerBound..<line.next]) }
            end = line.next
        }
        throw Diagnostic(
            "here-document `\(word.name.text)` never ends",
            at: range,
            notes: notes
        )
    }
}
