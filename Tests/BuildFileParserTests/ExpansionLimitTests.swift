import BuildFileParser
import Testing

/// Words that would make much of little.
@Suite struct ExpansionLimitTests {
    private static let kilobyte = String(repeating: "x", count: 1024)

    private func expand(_ raw: String, _ values: [String: String]) throws -> String {
        let place = SourceRange(start: SourcePosition(line: 1, column: 1), end: SourcePosition(line: 1, column: 1))
        return try Word(raw: raw, range: place).expand { values[$0] }.text
    }

    @Test func valuesThatDoubleAreBounded() throws {
        var value = Self.kilobyte
        let refused = try #require(throws: Diagnostic.self) {
            for _ in 0..<20 { value = try expand("$a$a", ["a": value]) }
        }
        #expect(refused.message == "the value grows beyond 1 MiB")
        #expect(value.utf8.count == 1 << 20)
    }

    @Test(arguments: ["${a//x/$a}", "${b:-${a//x/$a}}", "${a//x/${a//x/$a}}"])
    func replacementsAreBounded(_ raw: String) throws {
        let value = String(repeating: Self.kilobyte, count: 8)
        #expect(throws: Diagnostic.self) { try expand(raw, ["a": value]) }
    }

    @Test(arguments: ["${a#$p}", "${a%%$p}", "${a/$p/y}"])
    func patternsAreBounded(_ raw: String) throws {
        #expect(try expand(raw, ["a": Self.kilobyte, "p": Self.kilobyte]).utf8.count <= 1)
        let value = String(repeating: Self.kilobyte, count: 100)
        let refused = try #require(throws: Diagnostic.self) { try expand(raw, ["a": value, "p": Self.kilobyte]) }
        #expect(refused.message == "the pattern is too long for a value of 102400 bytes")
    }

    /// What the file itself has is no expansion, however long.
    @Test func textIsNotBounded() throws {
        let text = String(repeating: Self.kilobyte, count: 2048)
        #expect(try expand(text + "$a", ["a": "y"]).utf8.count == text.utf8.count + 1)
    }

    @Test func diagnosticsShowAPartOfALongLine() throws {
        let start = "FROM scratch\nRUN --mount="
        let source = Array((start + String(repeating: "é", count: 2_000_000) + ", " + Self.kilobyte).utf8)
        let diagnostic = try #require(throws: Diagnostic.self) { try parseBuildFile(source) }
        let place = SourcePosition(line: 2, column: 3_000_000)
        let after = SourcePosition(line: 2, column: 3_000_002)
        let renderer = DiagnosticRenderer(fileName: "Buildfile", source: source, color: false)
        for range in [diagnostic.range, SourceRange(start: place, end: after)] {
            let text = renderer.render(Diagnostic("wrong", at: range))
            #expect(text.contains("é") && text.contains("^"))
            #expect(text.utf8.count < 2000)
        }
    }
}
