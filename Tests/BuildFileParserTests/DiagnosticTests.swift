import BuildFileParser
import Testing

@Suite struct DiagnosticTests {
    @Test(arguments: [
        ("a b c", 3, 4, " 1 | a b c\n   |   ^\n"),
        ("a", 2, 2, " 1 | a\n   |  ^\n"),
        ("\ta\tb", 4, 5, " 1 |     a   b\n   |         ^\n"),
        ("日本 x", 8, 9, " 1 | 日本 x\n   |      ^\n"),
        ("e\u{301}x", 4, 5, " 1 | e\u{301}x\n   |  ^\n"),
        ("a\u{1B}[31mb", 2, 3, " 1 | a\u{FFFD}[31mb\n   |  ^\n"),
        ("", 1, 1, " 1 |\n   | ^\n"),
    ])
    func underlines(_ line: String, _ start: Int, _ end: Int, _ expected: String) {
        let text = render(line + "\n", from: (1, start), to: (1, end))
        let excerpt = text.split(separator: "\n", maxSplits: 1).last.map(String.init)
        #expect(excerpt?.replacing(" |\n", with: " | \n") == expected.replacing(" |\n", with: " | \n"))
    }

    @Test func showsEveryLineOfARange() {
        let source = "\u{FEFF}RUN a \\\r\n  b \\\r\n  c\r\nCMD x\r\n"
        #expect(
            render(source, from: (1, 5), to: (2, 4))
                == "Buildfile:1:5: error: wrong\n 1 | RUN a \\\n   |     ^^^\n 2 |   b \\\n   | ^^^\n"
        )
        #expect(render(source, from: (4, 1), to: (4, 4)) == "Buildfile:4:1: error: wrong\n 4 | CMD x\n   | ^^^\n")
    }

    @Test func cutsLongLinesAroundThePlace() {
        let source = String(repeating: "x", count: 10_000)
        let text = render(source, from: (1, 5000), to: (1, 5003))
        #expect(text.split(separator: "\n").allSatisfy { $0.count < 200 })
        #expect(text.contains("^^^"))
        #expect(text.contains("…x"))
    }

    @Test func goesWithoutAPlace() {
        let renderer = DiagnosticRenderer(fileName: "x", source: [], color: false)
        #expect(renderer.render(Diagnostic("no", at: nil, notes: ["a", "b"])) == "x: error: no\nnote: a\nnote: b\n")
    }

    @Test func describesItselfOnOneLine() throws {
        let diagnostic = try #require(throws: Diagnostic.self) { try parseBuildFile(Array("FROM a\nNOPE".utf8)) }
        #expect("\(diagnostic)" == "line 2, column 1: unknown instruction `NOPE`")
        #expect("\(Diagnostic("no", at: nil))" == "no")
    }

    @Test func survivesPlacesOutsideOfTheFile() {
        #expect(render("a\n", from: (7, 9), to: (7, 10)) == "Buildfile:7:9: error: wrong\n")
    }

    @Test func coloursWhereWanted() {
        let renderer = DiagnosticRenderer(fileName: "x", source: [], color: true)
        #expect(renderer.render(Diagnostic("no", at: nil)).contains("\u{1B}[31;1merror\u{1B}[0m"))
    }

    @Test(arguments: [
        ("COYP", "COPY"), ("froom", "from"), ("RUNN", "RUN"), ("ENTRYPONT", "ENTRYPOINT"), ("runn", "RUN"),
        ("INSTALL", nil), ("", nil), ("x", nil), ("FORM", "from"),
    ])
    func suggests(_ word: String, _ expected: String?) {
        #expect(suggestion(for: word, among: ["COPY", "RUN", "from", "ENTRYPOINT"]) == expected)
    }

    private func render(_ source: String, from: (Int, Int), to: (Int, Int)) -> String {
        let range = SourceRange(
            start: SourcePosition(line: from.0, column: from.1),
            end: SourcePosition(line: to.0, column: to.1)
        )
        let renderer = DiagnosticRenderer(fileName: "Buildfile", source: Array(source.utf8), color: false)
        return renderer.render(Diagnostic("wrong", at: range))
    }
}
