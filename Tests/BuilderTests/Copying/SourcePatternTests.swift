import LayerDiff
import Testing

@testable import Builder

@Suite struct SourcePatternTests {
    let scratch: Scratch
    let tree: ContextTree

    init() throws {
        scratch = try Scratch()
        for name in [
            "a.txt", "b.txt", "b.md", ".hidden", "star*", "d/a.txt", "d/x/deep.txt", "e/a.txt", "e/y/z/deep.txt",
        ] {
            try scratch.write(name, to: "context/\(name)")
        }
        try scratch.link("context/dl", to: "d")
        try scratch.link("context/loop", to: "loop")
        tree = try scratch.context()
    }

    /// What a pattern matches of what is there; without wildcards, its path in any case.
    private func found(_ text: String, parents: Bool = false) throws -> [String] {
        let pattern = try SourcePattern(text, parents: parents)
        return try tree.matches(pattern).map(\.path).filter { path in
            guard pattern.hasWildcards else { return true }
            guard let place = try? tree.resolve(path, followLast: false) else { return false }
            return try tree.node(place) != nil
        }
        .map(\.description)
    }

    /// Dockerfile reference, "COPY": Go's filepath.Match, per component.
    @Test(
        arguments: [
            ("a.txt", ["/a.txt"]), ("/a.txt", ["/a.txt"]), ("./a.txt", ["/a.txt"]), ("d/../a.txt", ["/a.txt"]),
            ("../../a.txt", ["/a.txt"]), ("none", ["/none"]), (".", ["/"]), ("/", ["/"]), ("d/", ["/d"]),
            ("*.txt", ["/a.txt", "/b.txt"]), ("?.txt", ["/a.txt", "/b.txt"]), ("[ab].md", ["/b.md"]),
            ("[^a].txt", ["/b.txt"]), ("*.none", []), (".h*", ["/.hidden"]),
            ("*/a.txt", ["/d/a.txt", "/dl/a.txt", "/e/a.txt"]), ("star\\*", ["/star*"]),
            ("a\\.txt", ["/a.txt"]), ("dl/*", ["/dl/a.txt", "/dl/x"]), ("d/*/deep.txt", ["/d/x/deep.txt"]),
        ] as [(String, [String])]
    )
    func matches(text: String, expected: [String]) throws {
        #expect(try found(text) == expected)
    }

    /// Without `--parents`, two stars are no more than one.
    @Test func twoStarsReachAnyDepthWithParentsOnly() throws {
        #expect(try found("e/**/z") == ["/e/y/z"])
        #expect(try found("e/**/deep.txt") == [])
        #expect(try found("e/**/deep.txt", parents: true).contains("/e/y/z/deep.txt"))
        #expect(try found("**/a.txt", parents: true).contains("/a.txt"))
    }

    @Test(arguments: [
        ("d/./x/deep.txt", 1), ("d/x/deep.txt", 0), ("./d/x", 0), ("d/x/./deep.txt", 2), ("d/./x/./deep.txt", 1),
        ("/./d/x", 0), ("d/x/.", 0), ("d/x/./", 2),
    ])
    func thePivotCutsOffWhatStandsBefore(text: String, pivot: Int) throws {
        #expect(try SourcePattern(text, parents: true).pivot == pivot)
        #expect(try SourcePattern(text, parents: false).pivot == 0)
    }

    @Test(arguments: ["[", "a[", "[a-", "[]"])
    func malformedPatternsAreErrors(text: String) {
        #expect(throws: (any Error).self) { try SourcePattern(text, parents: false) }
    }

    @Test func onlyWildcardsMayMatchNothing() throws {
        #expect(try SourcePattern("a*", parents: false).hasWildcards)
        #expect(try SourcePattern("a?", parents: false).hasWildcards)
        #expect(try !SourcePattern("a\\*", parents: false).hasWildcards)
        #expect(try !SourcePattern("a/b", parents: false).hasWildcards)
        #expect(try SourcePattern("**", parents: true).hasWildcards)
    }

    @Test func linksThatGoInCirclesEnd() throws {
        #expect(throws: CopyError.self) { try found("loop/*") }
    }
}
