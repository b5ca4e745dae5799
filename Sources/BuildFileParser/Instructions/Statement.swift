/// An instruction taken apart as far as all of them are alike: its name, its flags and the text after them.
struct Statement: Sendable {
    let line: LogicalLine
    let keyword: Keyword
    let keywordRange: SourceRange
    let flags: [Flag]
    /// The arguments after the flags, without blanks at either end.
    let body: Range<Int>
    /// From the name to the end of the arguments.
    let range: SourceRange
    let escape: UInt8

    /// Takes apart what stands in `line` from `start` on.
    init(_ line: LogicalLine, from start: Int = 0, escape: UInt8) throws(Diagnostic) {
        let whole = line.bytes.trimmingBlanks(start..<line.bytes.count)
        var nameEnd = whole.lowerBound
        while nameEnd < whole.upperBound, !line.bytes[nameEnd].isBlank { nameEnd += 1 }
        let name = whole.lowerBound..<nameEnd
        let arguments = line.bytes.skippingBlanks(nameEnd..<whole.upperBound)..<whole.upperBound

        self.line = line
        self.escape = escape
        self.range = line.sourceRange(whole)
        self.keywordRange = line.sourceRange(name)
        self.keyword = try Keyword(line.located(name))
        let reader = FlagReader(line.bytes, in: arguments, escape: escape)
        self.flags = reader.flags
        self.body = reader.rest..<whole.upperBound
        if !flags.isEmpty { try checkFlags() }
    }

    private func checkFlags() throws(Diagnostic) {
        let rules = keyword.flags
        for (index, flag) in flags.enumerated() {
            let place = line.sourceRange(flag.range)
            guard let rule = rules.first(where: { $0.name == flag.name }) else {
                throw unknownFlag(flag, rules: rules)
            }
            if rule.kind != .values, flags[..<index].contains(where: { $0.name == flag.name }) {
                throw Diagnostic(
                    "the flag `--\(flag.name)` is given twice",
                    at: place,
                    notes: ["remove one of the two"]
                )
            }
            switch rule.kind {
            case .value, .values:
                guard flag.value != nil else {
                    throw Diagnostic(
                        "the flag `--\(flag.name)` needs a value",
                        at: place,
                        notes: ["write `--\(flag.name)=value`"]
                    )
                }
            case .boolean:
                guard Self.boolean(flag) != nil else {
                    let value = flagTexts(flag.name).first
                    throw Diagnostic(
                        "`\(value?.bytes.text ?? "")` is no value of the flag `--\(flag.name)`",
                        at: value.map { line.sourceRange($0.lineRange(0..<$0.bytes.count)) } ?? place,
                        notes: ["expected `true` or `false`, or the flag alone"]
                    )
                }
            }
        }
    }

    private func unknownFlag(_ flag: Flag, rules: [FlagRule]) -> Diagnostic {
        var notes = expectation(instead: flag.name, among: rules.map(\.name)) { "`--\($0)`" }
        if rules.isEmpty { notes = ["\(keyword.rawValue) has no flags"] }
        let others = Keyword.allCases.filter { $0.flags.contains { $0.name == flag.name } }.map(\.rawValue)
        if !others.isEmpty { notes.append("`--\(flag.name)` is a flag of \(others.joined(separator: ", "))") }
        let name = flag.range.lowerBound..<min(flag.range.upperBound, flag.range.lowerBound + 2 + flag.name.utf8.count)
        return Diagnostic(
            "unknown flag `--\(flag.name)` of \(keyword.rawValue)",
            at: line.sourceRange(name),
            notes: notes
        )
    }

    private static func boolean(_ flag: Flag) -> Bool? {
        guard let value = flag.value else { return true }
        switch value.bytes.text.asciiLowercased {
        case "", "true": return true
        case "false": return false
        default: return nil
        }
    }
}

extension Statement {
    func isSet(_ flag: String) -> Bool? {
        flags.first { $0.name == flag }.flatMap(Self.boolean)
    }

    func flagWord(_ name: String) -> Word? {
        guard let text = flags.first(where: { $0.name == name })?.value else { return nil }
        return word(text, 0..<text.bytes.count)
    }

    func flagWords(_ name: String) -> [Word] {
        flagTexts(name).map { word($0, 0..<$0.bytes.count) }
    }

    func flagTexts(_ name: String) -> [FlagText] {
        flags.filter { $0.name == name }.compactMap(\.value)
    }

    /// A part of a flag's value as a word.
    func word(_ text: FlagText, _ range: Range<Int>) -> Word {
        Word(raw: text.bytes[range].text, range: line.sourceRange(text.lineRange(range)), escape: escapeCharacter)
    }

    func word(_ range: Range<Int>) -> Word {
        Word(raw: line.text(range), range: line.sourceRange(range), escape: escapeCharacter)
    }

    var escapeCharacter: Character { Character(Unicode.Scalar(escape)) }

    /// The whole of the arguments as one word.
    func onlyWord(_ what: String) throws(Diagnostic) -> Word {
        guard !body.isEmpty else { throw missingArguments(what) }
        return word(body)
    }

    /// The arguments, or the keyword where there are none.
    var bodyRange: SourceRange { body.isEmpty ? keywordRange : line.sourceRange(body) }

    func missingArguments(_ what: String) -> Diagnostic {
        Diagnostic("\(keyword.rawValue) needs \(what)", at: keywordRange)
    }

    /// The parts of the arguments between blanks; quotes have no meaning.
    var blankSeparated: [Range<Int>] { separated(body) }

    func separated(_ range: Range<Int>) -> [Range<Int>] {
        var words: [Range<Int>] = []
        var index = line.bytes.skippingBlanks(range)
        while index < range.upperBound {
            let start = index
            while index < range.upperBound, !line.bytes[index].isBlank { index += 1 }
            words.append(start..<index)
            index = line.bytes.skippingBlanks(index..<range.upperBound)
        }
        return words
    }

    /// The parts of the arguments between blanks that are neither quoted nor escaped.
    var quotedWords: [Range<Int>] {
        var words: [Range<Int>] = []
        var index = line.bytes.skippingBlanks(body)
        while index < body.upperBound {
            let start = index
            var quote: UInt8?
            while index < body.upperBound {
                let byte = line.bytes[index]
                if quote == nil, byte.isBlank { break }
                if byte == escape, quote != .singleQuote {
                    index += 1
                } else if byte == quote {
                    quote = nil
                } else if quote == nil, byte == .singleQuote || byte == .doubleQuote {
                    quote = byte
                }
                index += 1
            }
            index = min(index, body.upperBound)
            words.append(start..<index)
            index = line.bytes.skippingBlanks(index..<body.upperBound)
        }
        return words
    }
}
