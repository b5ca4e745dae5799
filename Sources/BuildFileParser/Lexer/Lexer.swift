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
        var comments: [Located<String>] = []
        while let first = reader.next() {
            let start = reader.bytes.skippingBlanks(first.content)
            guard start < first.content.upperBound else {
                comments = []
                continue
            }
            guard reader.bytes[start] != .hash else {
                comments.append(comment(of: first, from: start + 1))
                continue
            }
            var line = LogicalLine()
            line.comments = comments
            comments = []
            var physical = first
            var content = start..<first.content.upperBound
            while true {
                let continued = withoutContinuation(content)
                let kept = continued ?? content
                line.append(reader.bytes[kept], at: physical.position(at: kept.lowerBound))
                guard continued != nil, let next = nextContinuation(of: &line) else { break }
                physical = next
                content = next.content
            }
            line.trimTrailingBlanks()
            if !line.bytes.isEmpty { return line }
        }
        return nil
    }

    private func comment(of line: PhysicalLine, from start: Int) -> Located<String> {
        let text = reader.bytes.trimmingBlanks(start..<line.content.upperBound)
        let range = SourceRange(start: line.position(at: text.lowerBound), end: line.position(at: text.upperBound))
        return Located(reader.bytes[text].text, at: range)
    }

    /// The next line inside a continued instruction: comments and blank lines between do not end it.
    private mutating func nextContinuation(of logical: inout LogicalLine) -> PhysicalLine? {
        while let line = reader.next() {
            let start = reader.bytes.skippingBlanks(line.content)
            if start == line.content.upperBound {
                logical.blankLine = logical.blankLine ?? line.position(at: line.content.lowerBound)
            } else if reader.bytes[start] != .hash {
                return line
            }
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
        let firstLine = reader.number
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
                var heredoc = Heredoc(
                    name: word.name.text,
                    content: word.stripsTabs ? stripped.text : raw,
                    rawContent: raw,
                    expands: word.expands,
                    stripsTabs: word.stripsTabs,
                    range: range
                )
                heredoc.firstLine = firstLine
                return heredoc
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
