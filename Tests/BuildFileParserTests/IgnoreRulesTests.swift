import BuildFileParser
import Testing

@Suite struct IgnoreRulesTests {
    static let patterns = """

        # a comment

        *.log
        /rooted.txt
        **/anywhere.tmp
        trail/
           spaced.txt\u{20}\u{20}\u{20}
        sub/*.o
        #notcomment.txt
        deep/**/x
        a?c
        [mn]file
        ./dotted.txt
        none/../cleaned.txt
        /
        .
        """

    @Test(
        arguments: [
            ("a.log", 4), ("sub/b.log", nil), ("rooted.txt", 5), ("sub/rooted.txt", nil), ("anywhere.tmp", 6),
            ("sub/deep/anywhere.tmp", 6), ("trail", 7), ("trail/in", 7), ("sub/trail/in", nil), ("spaced.txt", 8),
            ("sub/c.o", 9), ("sub/s2/c.o", nil), ("#notcomment.txt", nil), ("deep/x", 11), ("deep/1/x", 11),
            ("deep/1/2/x", 11), ("deep/1/2/y", nil), ("abc", 12), ("abbc", nil), ("mfile", 13), ("ofile", nil),
            ("dotted.txt", 14), ("cleaned.txt", 15),
        ] as [(String, Int?)]
    )
    func patterns(_ path: String, _ line: Int?) throws {
        let verdict = try IgnoreRules(parsing: Array(Self.patterns.utf8)).verdict(for: path)
        #expect(verdict.line == line)
        #expect(verdict.ignored == (line != nil))
    }

    static let exceptions = """
        *
        !keep.txt
        !src
        src/*.tmp
        !src/important.tmp
        vendor
        ! vendor/one/keep
        !**/wanted
        """

    @Test(arguments: [
        ("keep.txt", false, 2), ("lose.txt", true, 1), ("src", false, 3), ("src/a.c", false, 3), ("src/a.tmp", true, 4),
        ("src/important.tmp", false, 5), ("vendor/one/keep", false, 7), ("vendor/one/lose", true, 6),
        ("vendor/two/lose", true, 6), ("deep/er/wanted", false, 8), ("deep/er/unwanted", true, 1),
    ])
    func exceptions(_ path: String, _ ignored: Bool, _ line: Int) throws {
        let verdict = try IgnoreRules(parsing: Array(Self.exceptions.utf8)).verdict(for: path)
        #expect(verdict.ignored == ignored)
        #expect(verdict.line == line)
    }

    /// An exception inside, then the directory again: the last line that matches the path or a parent decides.
    @Test func lastLineDecides() throws {
        let rules = try IgnoreRules(patterns: ["d", "!d/f", "d*"])
        #expect(rules.verdict(for: "d/f").ignored)
        #expect(rules.verdict(for: "d/f").line == 3)
    }

    @Test func linesMayEndInCarriageReturns() throws {
        let rules = try IgnoreRules(parsing: Array("\u{FEFF}*.log\r\nDockerfile\r\n".utf8))
        #expect(rules.verdict(for: "a.log").ignored)
        #expect(rules.verdict(for: "Dockerfile").ignored)
        #expect(!rules.verdict(for: "a").ignored)
    }

    @Test func pathsAreBytes() throws {
        let rules = try IgnoreRules(parsing: [0x2A, 0xFF, 0x0A])
        #expect(rules.verdict(for: [0x61, 0xFF]).ignored)
        #expect(!rules.verdict(for: [0x61, 0xFE]).ignored)
    }

    @Test func emptyFilesIgnoreNothing() throws {
        #expect(try IgnoreRules(parsing: []).isEmpty)
        #expect(try IgnoreRules(parsing: Array("# x\n\n".utf8)).verdict(for: "x") == .included)
    }

    @Test(arguments: ["!", "ok\n [a", "ok\n a\\", "ok\n !  "])
    func refuses(_ text: String) throws {
        let diagnostic = try #require(throws: Diagnostic.self) { try IgnoreRules(parsing: Array(text.utf8)) }
        #expect(diagnostic.range?.start == (text == "!" ? place(1, 1) : place(2, 2)))
    }

    @Test(arguments: [
        ("!vendor/one/keep", "vendor", true), ("!vendor/one/keep", "vendor/one", true),
        ("!vendor/one/keep", "vendor/one/keep", false), ("!vendor/one/keep", "vend", false),
        ("!vendor/one/keep", "other", false), ("!vendor/one/keep", "", true), ("!**/keep", "any/where", true),
        ("!*.md", "docs", false), ("!*/keep", "docs", true), ("!*/keep", "docs/deep", false),
        ("!docs/**", "docs/a", true),
        ("!docs/**", "src", false), ("vendor/x", "vendor", false), ("!docs/[ab]/x", "docs/a", true),
        ("!src*/x", "srcs", true), ("!a**b", "ax/y", true),
    ])
    func exceptionsBelow(_ pattern: String, _ directory: String, _ expected: Bool) throws {
        let rules = try IgnoreRules(patterns: ["*", pattern])
        #expect(rules.mayContainExceptions(below: Array(directory.utf8)) == expected)
    }

    @Test func onlyLaterExceptionsCount() throws {
        let rules = try IgnoreRules(patterns: ["!d/keep", "d"])
        let verdict = rules.verdict(for: "d")
        #expect(rules.mayContainExceptions(below: Array("d".utf8)))
        #expect(!rules.mayContainExceptions(below: Array("d".utf8), ignoredBy: verdict))
    }

    /// On random rules and trees: walking with the parent's verdict and pruning finds what the definition says.
    @Test func walkingAgreesWithTheDefinition() throws {
        var random = Random(state: 11)
        let names = ["a", "b", "ab", "a.o"]
        let pieces = ["a", "b", "ab", "*", "**", "a*", "?", "*.o", "**.o", "[ab]", "a.o", "a**", "*b"]
        var paths: [[String]] = [[]]
        for depth in 0..<3 {
            paths += paths.filter { $0.count == depth }.flatMap { path in names.map { path + [$0] } }
        }
        for _ in 0..<600 {
            let lines = (0..<Int.random(in: 1...8, using: &random)).map { _ in
                let depth = Int.random(in: 1...3, using: &random)
                let pattern = (0..<depth).map { _ in pieces.randomElement(using: &random) ?? "a" }.joined(
                    separator: "/"
                )
                return (Bool.random(using: &random) ? "!" : "") + pattern
            }
            let rules = try IgnoreRules(patterns: lines)
            var walked: Set<String> = []
            try walk(rules, [], names, .included, &walked)
            let defined = try paths.dropFirst().filter { try !isIgnored($0, lines) }.map { $0.joined(separator: "/") }
            #expect(walked == Set(defined), "\(lines)")
        }
    }

    private func walk(
        _ rules: IgnoreRules,
        _ directory: [String],
        _ names: [String],
        _ parent: IgnoreRules.Verdict,
        _ found: inout Set<String>
    ) throws {
        guard directory.count < 3 else { return }
        for name in names {
            let path = (directory + [name]).joined(separator: "/")
            let verdict = rules.verdict(for: Array(path.utf8), parent: parent)
            #expect(verdict == rules.verdict(for: path))
            if !verdict.ignored { found.insert(path) }
            if verdict.ignored, !rules.mayContainExceptions(below: Array(path.utf8), ignoredBy: verdict) { continue }
            try walk(rules, directory + [name], names, verdict, &found)
        }
    }

    private func isIgnored(_ path: [String], _ lines: [String]) throws -> Bool {
        var ignored = false
        for line in lines {
            let isException = line.hasPrefix("!")
            let pattern = try PathPattern(String(line.drop { $0 == "!" }), doubleStar: true)
            let matches = path.indices.contains { pattern.matches(path[...$0].joined(separator: "/")) }
            if matches { ignored = !isException }
        }
        return ignored
    }

    private func place(_ line: Int, _ column: Int) -> SourcePosition { SourcePosition(line: line, column: column) }
}
