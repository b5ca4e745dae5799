import BuildFileParser
import Testing

@Suite struct PathPatternTests {
    @Test(arguments: [
        ("abc", "abc", true), ("*", "abc", true), ("*c", "abc", true), ("a*", "a", true), ("a*", "ab/c", false),
        ("a*/b", "abc/b", true), ("a*/b", "a/c/b", false), ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
        ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false), ("a*b?c*x", "abxbbxdbxebxczzx", true),
        ("a*b?c*x", "abxbbxdbxebxczzy", false), ("ab[c]", "abc", true), ("ab[b-d]", "abc", true),
        ("ab[e-g]", "abc", false), ("ab[^c]", "abc", false), ("ab[^e-g]", "abc", true), (#"a\*b"#, "a*b", true),
        (#"a\*b"#, "ab", false), ("a?b", "a☺b", true), ("a[^a]b", "a☺b", true), ("a???b", "a☺b", false),
        ("a[^a][^a][^a]b", "a☺b", false), ("[a-ζ]*", "α", true), ("*[a-ζ]", "A", false), ("a?b", "a/b", false),
        ("a*b", "a/b", false), (#"[\]a]"#, "]", true), (#"[\-]"#, "-", true), (#"[x\-]"#, "z", false),
        ("*x", "xxx", true), ("", "", true), ("", "a", false), ("*", "", true), ("*", ".hidden", true),
        ("arr[[]0].txt", "arr[0].txt", true), ("arr[0].txt", "arr0.txt", true), ("[^a]", "/", false),
        ("*??", "日", false), ("*??", "日本", true), ("src/**/x", "src/a/x", true), ("src/**/x", "src/a/b/x", false),
        ("src/**/x", "src/x", false),
    ])
    func matches(_ pattern: String, _ path: String, _ expected: Bool) throws {
        #expect(try PathPattern(pattern).matches(path) == expected)
    }

    @Test(arguments: [
        ("**", "a/b", true), ("**/*.md", "a.md", true), ("**/*.md", "a/b/c.md", true), ("**/*.md", "a/c.txt", false),
        ("x/**/b.*", "x/b.c", true), ("x/**/b.*", "x/d/e/b.c", true), ("x/**/b.*", "y/b.c", false),
        ("x/**", "x/a/b", true), ("x/**", "x", false), ("**/x", "x", true), ("**/x", "ax", false),
        ("**/x", "a/x", true),
        ("**.md", "a/b.md", true), ("**x", "ax", true), ("a**b", "ab", true), ("a**b", "ax/b", true),
        ("a**b", "ax/y/b", true), ("a**b", "axb", false), ("**/a/**/b", "x/a/y/z/b", true), ("**/a/**/b", "a/b", true),
        ("**/a/**/b", "ab", false), ("**/*a/*b", "x/y/za/zb", true), ("**/*a/*b", "a/x/b", false), ("***", "a", true),
        ("**/**/x", "x", true), ("a***", "a/b", true), ("a/**/**/b", "a/b", true),
    ])
    func matchesWithDoubleStar(_ pattern: String, _ path: String, _ expected: Bool) throws {
        #expect(try PathPattern(pattern, doubleStar: true).matches(path) == expected)
    }

    @Test(arguments: ["[", "[]", "[]a]", "[a", "[-]", "[a-]", "[b-a]", "[^", "a\\", "[a\\", "[x-\\"])
    func refuses(_ pattern: String) {
        #expect(throws: Diagnostic.self) { try PathPattern(pattern) }
    }

    @Test func refusesTooManyReadings() {
        #expect(throws: Diagnostic.self) { try PathPattern("a**b**c**d**e**f", doubleStar: true) }
    }

    @Test func matchesNamesOfAnyBytes() throws {
        #expect(try PathPattern("a?b").matches([0x61, 0xFF, 0x62]))
        #expect(try PathPattern("a[^x]b").matches([0x61, 0xC3, 0x62]))
        #expect(try PathPattern(bytes: [0x2A, 0xFF]).matches([0x61, 0xFF]))
        #expect(try !PathPattern("\u{E9}").matches("e\u{301}"))
    }

    @Test func takesNoLongerForManyStars() throws {
        let pattern = try PathPattern(String(repeating: "a*", count: 100) + "b", doubleStar: true)
        #expect(!pattern.matches(String(repeating: "a", count: 4000)))
        let deep = try PathPattern(String(repeating: "**/a/", count: 50) + "b", doubleStar: true)
        #expect(!deep.matches(String(repeating: "a/", count: 2000)))
    }

    @Test(arguments: [
        ("a.txt", false), ("*.txt", true), ("a?", true), ("[a]", true), (#"\*"#, false), (#"\\*"#, true), ("a]", false),
    ])
    func wildcards(_ text: String, _ expected: Bool) {
        #expect(PathPattern.hasWildcards(text) == expected)
    }

    @Test func unescapes() {
        #expect(PathPattern.unescaped(Array(#"a\[b\\c\"#.utf8)) == Array(#"a[b\c\"#.utf8))
    }

    /// Compares with a matcher that tries everything, on random patterns and paths of few letters.
    @Test func agreesWithASimpleMatcher() throws {
        var random = Random(state: 7)
        let pieces = ["a", "b", "*", "?", "/", "**/", "/**", "[ab]", "[^a]"]
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 1...6, using: &random)).map { _ in pieces.randomElement(using: &random) ?? ""
            }
            let pattern = text.joined()
            let path = (0..<Int.random(in: 1...7, using: &random)).map { _ in "ab/".randomElement(using: &random) ?? "a"
            }
            let compiled = try PathPattern(pattern)
            #expect(
                compiled.matches(String(path)) == simplyMatches(pattern[...], path[...]),
                "\(pattern) against \(String(path))"
            )
        }
    }

    private func simplyMatches(_ pattern: Substring, _ path: ArraySlice<Character>) -> Bool {
        guard let first = pattern.first else { return path.isEmpty }
        let rest = pattern.dropFirst()
        switch first {
        case "*":
            if simplyMatches(rest, path) { return true }
            guard let next = path.first, next != "/" else { return false }
            return simplyMatches(pattern, path.dropFirst())
        case "?":
            return path.first != nil && path.first != "/" && simplyMatches(rest, path.dropFirst())
        case "[":
            guard let next = path.first, next != "/", let close = pattern.firstIndex(of: "]") else { return false }
            let isNegated = rest.first == "^"
            let isMember = pattern[..<close].dropFirst(isNegated ? 2 : 1).contains(next)
            return isMember != isNegated && simplyMatches(pattern[pattern.index(after: close)...], path.dropFirst())
        default:
            return path.first == first && simplyMatches(rest, path.dropFirst())
        }
    }
}

/// A generator that gives the same numbers every time (xorshift64).
struct Random: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
