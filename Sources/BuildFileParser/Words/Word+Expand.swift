extension Word {
    /// The text as written, for the places where a word is taken as it is.
    public var literal: String { raw }

    /// Puts in the values of variables and takes away quotes and escapes.
    ///
    /// `lookup` gives a variable's value, `nil` where it is not set.
    ///
    /// - Throws: what is wrong with the word, or the message of a `${x:?message}` whose variable is not set.
    public func expand(_ lookup: (String) -> String?) throws(Diagnostic) -> Expansion {
        guard needsExpansion else { return Expansion(text: raw, used: [], missing: []) }
        let (text, expander) = try expandedText(lookup)
        return Expansion(text: text.bytes.text, used: expander.used, missing: expander.missing)
    }

    /// Expands the word and splits the result at blanks that are not quoted; what is left empty is no word.
    ///
    /// Each of the words lists the variables of the whole.
    ///
    /// - Throws: what `expand` throws.
    public func expandToWords(_ lookup: (String) -> String?) throws(Diagnostic) -> [Expansion] {
        let (text, expander) = try expandedText(lookup)
        var words: [Expansion] = []
        var current: [UInt8] = []
        func flush() {
            guard !current.isEmpty else { return }
            words.append(Expansion(text: current.text, used: expander.used, missing: expander.missing))
            current = []
        }
        for (byte, quoted) in zip(text.bytes, text.isQuoted) {
            if byte.isBlank, !quoted { flush() } else { current.append(byte) }
        }
        flush()
        return words
    }

    /// Checks quotes and substitutions without knowing any values.
    ///
    /// - Throws: what is wrong with the word.
    public func checkSyntax() throws(Diagnostic) {
        var parser = WordSyntaxParser(Array(raw.utf8), escape: escape.asciiValue ?? .backslash)
        do throws(WordError) {
            _ = try parser.parse()
        } catch {
            throw diagnostic(error)
        }
    }

    private var needsExpansion: Bool {
        let escape = escape.asciiValue ?? .backslash
        return raw.utf8.contains { byte in
            byte == .dollar || byte == .singleQuote || byte == .doubleQuote || byte == escape
        }
    }

    private func expandedText(_ lookup: (String) -> String?) throws(Diagnostic) -> (ExpandedText, WordExpander) {
        var parser = WordSyntaxParser(Array(raw.utf8), escape: escape.asciiValue ?? .backslash)
        var expander = WordExpander()
        var text = ExpandedText()
        do throws(WordError) {
            try expander.expand(try parser.parse(), into: &text, lookup)
        } catch {
            throw diagnostic(error)
        }
        return (text, expander)
    }

    /// Gives the error its place: the exact one where the word is in one piece in the file, else the whole word's.
    private func diagnostic(_ error: WordError) -> Diagnostic {
        var place = range
        if range.start.line == range.end.line, range.end.column - range.start.column == raw.utf8.count {
            place.start.column += error.range.lowerBound
            place.end.column = range.start.column + error.range.upperBound
        }
        return Diagnostic(error.message, at: place, notes: error.notes)
    }
}

extension Heredoc {
    /// Puts the values of variables into the document; a quoted delimiter leaves it as it is.
    ///
    /// Quotes are text like any other. A backslash takes away a dollar's meaning and vanishes, whatever escape
    /// character the file has: a here-document is the shell's.
    ///
    /// - Throws: what is wrong with a substitution in it, or the message of a `${x:?message}`.
    public func expand(_ lookup: (String) -> String?) throws(Diagnostic) -> String {
        guard expands else { return content }
        var parser = WordSyntaxParser(Array(content.utf8), escape: .backslash, quotesAreText: true)
        var expander = WordExpander()
        var text = ExpandedText()
        do throws(WordError) {
            try expander.expand(try parser.parse(), into: &text, lookup)
        } catch {
            throw Diagnostic(
                "here-document `\(name)`: \(error.message)",
                at: place(of: error.range),
                notes: error.notes
            )
        }
        return text.bytes.text
    }

    /// Where a part of the content stands in the file.
    private func place(of part: Range<Int>) -> SourceRange {
        guard firstLine > 0 else { return range }
        return SourceRange(start: position(at: part.lowerBound), end: position(at: part.upperBound))
    }

    private func position(at offset: Int) -> SourcePosition {
        let before = content.utf8.prefix(offset)
        let row = before.count { $0 == .newline }
        let column = before.reversed().prefix { $0 != .newline }.count + 1
        guard stripsTabs else { return SourcePosition(line: firstLine + row, column: column) }
        let lines = rawContent.utf8.split(separator: .newline, maxSplits: row + 1, omittingEmptySubsequences: false)
        let tabs = row < lines.count ? lines[row].prefix { $0 == .tab }.count : 0
        return SourcePosition(line: firstLine + row, column: column + tabs)
    }
}
