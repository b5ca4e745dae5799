import BuildFileParser
import Testing

@Suite struct ExpansionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var word: String
        var expected: String

        init(_ word: String, _ expected: String) {
            self.word = word
            self.expected = expected
        }

        var testDescription: String { word }
    }

    static let values = [
        "BASE": "val", "SPACED": "two  words", "SET": "s", "EMPTY": "", "X": "val", "STAR": "a*b*c",
        "P": "/usr/local/lib/libfoo.so.1", "S": "foobarbaz", "V": "1.2.3", "ABC": "/a/b/c", "é": "letter", "U": "日本語",
        "ANY": "?", "LITERAL": #"a\*"#, "BACK": #"a\"#, "SLASH": #"\"#,
    ]

    static func lookUp(_ name: String) -> String? { values[name] }

    static let quotes = [
        Case("\"x $BASE y\"", "x val y"), Case("'x $BASE y'", "x $BASE y"), Case(#"x\ $BASE"#, "x val"),
        Case(#""say \"hi\"""#, #"say "hi""#), Case("'say \"hi\"'", "say \"hi\""), Case("\"it's\"", "it's"),
        Case("$BASE$BASE", "valval"), Case("${BASE}tail", "valtail"), Case("$BASEtail", ""), Case("\"\"", ""),
        Case("", ""), Case("a'b c'd\"e f\"", "ab cde f"), Case("$SPACED", "two  words"),
        Case("\"'$BASE'\"", "'val'"), Case("'\"$BASE\"'", "\"$BASE\""), Case("\"${BASE}\"'${BASE}'", "val${BASE}"),
        Case("$BASE/x", "val/x"), Case("$BASE-x", "val-x"), Case("$BASE.x", "val.x"), Case("é$BASE", "éval"),
        Case("b=c=$BASE", "b=c=val"), Case("$é", "letter"),
    ]

    static let escapes = [
        Case(#"\$X"#, "$X"), Case(#""\$X""#, "$X"), Case(#"'\$X'"#, #"\$X"#), Case(#"\${X}"#, "${X}"),
        Case(#"\\$X"#, #"\val"#), Case(#""\\$X""#, #"\val"#), Case(#"a\tb"#, "atb"), Case(#""a\tb""#, #"a\tb"#),
        Case(#"'a\tb'"#, #"a\tb"#), Case(#"a\\b"#, #"a\b"#), Case(#""a\\b""#, #"a\b"#), Case(#"'a\\b'"#, #"a\\b"#),
        Case(#"\"q\""#, "\"q\""), Case(#"it\'s"#, "it's"), Case(#""\'""#, #"\'"#), Case(#"\a\\\b"#, #"a\b"#),
        Case(#""\${X:-y}""#, "${X:-y}"), Case(#"a\=b"#, "a=b"), Case(#"x\\"#, #"x\"#), Case(#"x\"#, "x"),
        Case(#"\é"#, "é"),
    ]

    static let unset = [
        Case("x${UNSET}y", "xy"), Case("cost$", "cost$"), Case("100$%", "100$%"), Case("$", "$"),
        Case("\"a $ b\"", "a $ b"), Case("$UNSET$BASE", "val"), Case("$1a", "a"), Case("$$", ""), Case("$@x", "x"),
    ]

    static let defaults = [
        Case("${SET:-d}", "s"), Case("${EMPTY:-d}", "d"), Case("${UNSET:-d}", "d"), Case("${SET-d}", "s"),
        Case("${EMPTY-d}", ""), Case("${UNSET-d}", "d"), Case("${SET:+a}", "a"), Case("${EMPTY:+a}", ""),
        Case("${UNSET:+a}", ""), Case("${SET+a}", "a"), Case("${EMPTY+a}", "a"), Case("${UNSET+a}", ""),
        Case("${UNSET:-$SET}", "s"), Case("${UNSET:-${EMPTY:-deep}}", "deep"), Case("${UNSET:-}", ""),
        Case("\"${UNSET:-two words}\"", "two words"), Case("${UNSET:-a}b", "ab"), Case("${UNSET:-'q $SET'}", "q $SET"),
        Case("${SET:+<$SET>}", "<s>"), Case(#"${UNSET:-\$SET}"#, "$SET"), Case("${UNSET:-a:-b}", "a:-b"),
        Case("${SET:+${UNSET:-x}${SET}}", "xs"), Case("before${UNSET:-b}", "beforeb"), Case(#"${UNSET:-\}}"#, "}"),
        Case("${SET:?no}", "s"), Case("${EMPTY?no}x", "x"), Case("${SET:-${UNSET:?never asked}}", "s"),
    ]

    static let trims = [
        Case("${P#*/}", "usr/local/lib/libfoo.so.1"), Case("${P##*/}", "libfoo.so.1"),
        Case("${P%.*}", "/usr/local/lib/libfoo.so"), Case("${P%%.*}", "/usr/local/lib/libfoo"),
        Case("${P%/*}", "/usr/local/lib"), Case("${S#f*b}", "arbaz"), Case("${S##f*b}", "az"),
        Case("${S%b*}", "foobar"), Case("${S%%b*}", "foo"), Case("${S#?}", "oobarbaz"), Case("${S%??}", "foobarb"),
        Case("${S#nomatch}", "foobarbaz"), Case("${S%%*}", ""), Case("${S##*}", ""), Case("${S#*}", "foobarbaz"),
        Case("${S#}", "foobarbaz"), Case("${UNSET#x}", ""), Case("${S#oo}", "foobarbaz"), Case("${S%ba}", "foobarbaz"),
        Case(#"${STAR#a\*}"#, "b*c"), Case(#"${STAR%\*c}"#, "a*b"), Case(#"${STAR##*\*}"#, "c"),
        Case("${STAR#'a*'}", "b*c"), Case("${U#?}", "本語"), Case("${U%?}", "日本"), Case("${U%本*}", "日"),
        Case("${U%%[*}", "日本語"), Case("${S#$UNSET}", "foobarbaz"),
        Case("${P%.${UNSET:-1}}", "/usr/local/lib/libfoo.so"), Case("${STAR#$ANY}", "*b*c"),
        Case("${STAR#$LITERAL}", "b*c"), Case("${STAR##$LITERAL*}", ""), Case("${STAR#\"$ANY\"}", "a*b*c"),
        Case("${BACK%$SLASH}", "a"),
    ]

    static let replacements = [
        Case("${S/ba/BA}", "fooBArbaz"), Case("${S//ba/BA}", "fooBArBAz"), Case("${S/b?r/X}", "fooXbaz"),
        Case("${S//b??/-}", "foo--"), Case("${S/ba/}", "foorbaz"), Case(#"${ABC//\//:}"#, ":a:b:c"),
        Case("${S/nomatch/x}", "foobarbaz"), Case("${S/o*a/_}", "f_z"), Case("${V//./-}", "1-2-3"),
        Case("${V/.2/_}", "1_.3"), Case("${S/ba/$V}", "foo1.2.3rbaz"), Case("${UNSET/a/b}", ""),
        Case("\"${S/foo/a b}\"", "a bbarbaz"), Case("${S//o/oo}", "foooobarbaz"), Case("${S//*/x}", "x"),
        Case(#"${ABC//\//\/}"#, #"\/a\/b\/c"#), Case(#"${S/foo/\$X}"#, #"\$Xbarbaz"#),
        Case(#"${S/foo/${UNSET:-\}}}"#, "}barbaz"), Case("${STAR//$LITERAL/x}", "xb*c"),
        Case("${S///x}", "foobarbaz"), Case("${U/?/x}", "x本語"), Case("${S/b*/[&]}", "foo[&]"),
    ]

    @Test(arguments: [quotes, escapes, unset, defaults, trims, replacements].joined())
    func expands(_ example: Case) throws {
        #expect(try word(example.word).expand(Self.lookUp).text == example.expected)
    }

    @Test(arguments: [
        Case(#"C:\data\new"#, #"C:\data\new"#), Case("`$X", "$X"), Case(#"\$X"#, #"\val"#), Case("\"a`\"b\"", "a\"b"),
        Case("one` two", "one two"), Case(#"C:\"#, #"C:\"#), Case("${S#f`*}", "foobarbaz"),
    ])
    func expandsWithBacktick(_ example: Case) throws {
        #expect(try word(example.word, escape: "`").expand(Self.lookUp).text == example.expected)
    }

    @Test func namesTheVariablesThatItUsed() throws {
        let expansion = try word("$X ${UNSET:-$SET} $X ${EMPTY:-$NONE} ${SET:-$NEVER} $UNSET").expand(Self.lookUp)
        #expect(expansion.used == ["X", "SET", "EMPTY"])
        #expect(expansion.missing == ["UNSET", "NONE"])
    }

    @Test(arguments: [
        ("a b", ["a", "b"]), ("$SPACED", ["two", "words"]), ("\"$SPACED\" x", ["two  words", "x"]), ("$UNSET", []),
        ("\"\"", []), ("${P##*/}/udp", ["libfoo.so.1/udp"]), (#"a\ b"#, ["a b"]), ("x${UNSET:- }y", ["x", "y"]),
        ("80${UNSET:-b}", ["80b"]), (" a\tb ", ["a", "b"]),
    ])
    func splitsIntoWords(_ text: String, _ expected: [String]) throws {
        #expect(try word(text).expandToWords(Self.lookUp).map(\.text) == expected)
    }

    @Test(arguments: [
        ("${X", "`${X` has no closing brace", 1, 4), ("a${X:-${Y}", "has no closing brace", 2, 11),
        ("${}", "bad substitution", 1, 4), ("ab${:x}c", "bad substitution", 3, 8), ("${X!y}", "bad substitution", 1, 7),
        ("${#X}", "bad substitution", 1, 6), ("${X:}", "bad substitution", 1, 6), ("${X/a}", "second `/`", 1, 7),
        ("a\"b", "double quote", 2, 4), ("a'b", "single quote", 2, 4), ("\"${UNSET:-'}\"", "single quote", 11, 14),
        ("${UNSET:?please set it}", "UNSET: please set it", 1, 24), ("${EMPTY:?}", "`EMPTY` is empty", 1, 11),
        ("a ${UNSET?}", "`UNSET` is not set", 3, 12),
    ])
    func refuses(_ text: String, _ message: String, _ start: Int, _ end: Int) throws {
        let diagnostic = try #require(throws: Diagnostic.self) { try word(text).expand(Self.lookUp) }
        #expect(diagnostic.message.contains(message))
        #expect(diagnostic.range?.start.column == start)
        #expect(diagnostic.range?.end.column == end)
    }

    @Test func checksSyntaxWithoutValues() throws {
        try word("${UNSET:?needed} \"x\"").checkSyntax()
        #expect(throws: Diagnostic.self) { try word("${UNSET:-\"}").checkSyntax() }
    }

    @Test func boundsNesting() throws {
        func nested(_ depth: Int) -> Word {
            word(String(repeating: "${A:-", count: depth) + "x" + String(repeating: "}", count: depth))
        }
        #expect(try nested(64).expand { _ in nil }.text == "x")
        #expect(throws: Diagnostic.self) { try nested(65).expand { _ in nil } }
        #expect(throws: Diagnostic.self) { try nested(100_000).expand { _ in nil } }
    }

    @Test func boundsTheSize() {
        let value = String(repeating: "x", count: 1 << 20)
        #expect(throws: Diagnostic.self) {
            try word(String(repeating: "$A", count: 17)).expand { _ in value }
        }
    }

    @Test(arguments: [
        Case("$BASE ${SPACED} \\$BASE '$BASE' \"${BASE}\"\n", "val two  words $BASE 'val' \"val\"\n"),
        Case("${UNSET:-default} ${EMPTY:+set} [${UNSET}] it's\n", "default  [] it's\n"),
        Case("RUN no instruction \\\nEOF\n", "RUN no instruction \nEOF\n"),
    ])
    func expandsHeredocs(_ example: Case) throws {
        let source = "FROM busybox\nCOPY <<END /x\n\(example.word)END\n"
        let copy = try parseBuildFile(Array(source.utf8)).stages[0].instructions[0].value
        guard case .copy(let copy) = copy, case .heredoc(let heredoc) = copy.sources[0] else {
            Issue.record("no here-document")
            return
        }
        #expect(try heredoc.expand(Self.lookUp) == example.expected)
        var quoted = heredoc
        quoted.expands = false
        #expect(try quoted.expand(Self.lookUp) == example.word)
    }

    /// A here-document is the shell's: its escape character is the backslash, whatever the file's is.
    @Test func heredocsEscapeWithBackslashes() throws {
        let source = "# escape=`\nFROM busybox\nCOPY <<END /x\n\\$X `$X `a\nEND\n"
        let copy = try parseBuildFile(Array(source.utf8)).stages[0].instructions[0].value
        guard case .copy(let copy) = copy, case .heredoc(let heredoc) = copy.sources[0] else {
            Issue.record("no here-document")
            return
        }
        #expect(try heredoc.expand(Self.lookUp) == "$X `val `a\n")
    }

    private func word(_ raw: String, escape: Character = "\\") -> Word {
        let start = SourcePosition(line: 1, column: 1)
        let end = SourcePosition(line: 1, column: raw.utf8.count + 1)
        return Word(raw: raw, range: SourceRange(start: start, end: end), escape: escape)
    }

    @Test(arguments: [
        ("COPY <<A /x\n${x:?m}\nA\n", 3, 1, 8), ("COPY <<A /x\nb\n  ${x:?m} y\nA\n", 4, 3, 10),
        ("COPY <<-A /x\n\tb\n\t\té${x:?m}\n\tA\n", 4, 5, 12),
        ("COPY <<A <<B \\\n /x/\na\nA\n${x:?m}\nB\n", 6, 1, 8), ("COPY <<A /x\r\nb\r\n${x:?m}\r\nA\r\n", 4, 1, 8),
        ("COPY <<A /x\n${x\nA\n", 3, 1, 4),
    ])
    func aFaultInAHereDocumentIsShownThere(text: String, line: Int, start: Int, end: Int) throws {
        let file = try parseBuildFile(Array("FROM scratch\n\(text)".utf8))
        guard case .copy(let copy) = try #require(file.stages[0].instructions.first).value else {
            Issue.record("no COPY")
            return
        }
        let heredocs = copy.sources.compactMap { source in
            if case .heredoc(let heredoc) = source { heredoc } else { nil }
        }
        let error = #expect(throws: Diagnostic.self) {
            for heredoc in heredocs { _ = try heredoc.expand { _ in nil } }
        }
        let range = try #require(error?.range)
        #expect(range.start == SourcePosition(line: line, column: start))
        #expect(range.end >= SourcePosition(line: line, column: end))
    }
}
