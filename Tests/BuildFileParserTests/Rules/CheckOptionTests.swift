import BuildFileParser
import Foundation
import Testing

@Suite struct CheckOptionTests {
    @Test(arguments: [
        ("skip=JSONArgsRecommended", ["StageNameCasing@2:17-18"]),
        ("skip=JSONArgsRecommended, StageNameCasing", []),
        ("skip=all", []),
        ("error=true", ["StageNameCasing@2:17-18", "JSONArgsRecommended@3:5-6"]),
        ("error=true;skip=StageNameCasing", ["JSONArgsRecommended@3:5-6"]),
        ("skip=StageNameCasin", ["UnknownCheck@1:14-28", "StageNameCasing@2:17-18", "JSONArgsRecommended@3:5-6"]),
        ("skip=UnknownCheck,Nonsense,StageNameCasing,JSONArgsRecommended", []),
    ])
    func skipping(_ directive: String, _ expected: [String]) throws {
        #expect(try findings("# check=\(directive)\nFROM scratch AS A\nCMD x\n") == expected)
    }

    @Test(arguments: ["skip", "warn=true", "error=perhaps", "error=", "skip=A;;what", "=x"])
    func malformed(_ directive: String) {
        let place = SourceRange(start: SourcePosition(line: 1, column: 9), end: SourcePosition(line: 1, column: 80))
        let diagnostic = #expect(throws: Diagnostic.self) { try CheckOptions(parsing: directive, at: place) }
        #expect(diagnostic?.range?.start.line == 1)
        #expect(throws: Diagnostic.self) { try CheckOptions(parsing: directive, at: nil) }
    }

    @Test func errorsAndExperiments() throws {
        #expect(try CheckOptions(parsing: "error=1", at: nil).findingsAreErrors)
        #expect(try !CheckOptions(parsing: " error = F ; ", at: nil).findingsAreErrors)
        let all = try CheckOptions(parsing: "experimental=all", at: nil)
        #expect(all.applies(.invalidDefinitionDescription))
        #expect(!CheckOptions().applies(.invalidDefinitionDescription))
    }

    /// Not those whose finding needs more than the build file.
    private static let told = Rule.allCases.filter { ![.copyIgnoredFile, .invalidBaseImagePlatform].contains($0) }

    @Test(arguments: told)
    func theExamplesOfThePageAreRight(_ rule: Rule) throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../\(rule.page)")
        let blocks = try String(contentsOf: file.standardized, encoding: .utf8).components(separatedBy: "```")
        try #require(blocks.count >= 6)
        func rules(_ block: String) throws -> [Rule] {
            let directive = rule.properties.isExperimental ? "# check=experimental=all" : ""
            return try allFindings(directive + block.dropFirst(rule.properties.isExperimental ? 10 : 11) + "\n").map(
                \.rule
            )
        }
        #expect(try rules(blocks[1]).contains(rule))
        #expect(try !rules(blocks[3]).contains(rule))
    }

    @Test func everyRuleHasItsPage() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../docs/rules")
            .standardized
        let list = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
        for rule in Rule.allCases {
            let page = try String(contentsOf: root.appending(path: "\(rule.rawValue).md"), encoding: .utf8)
            #expect(page.hasPrefix("# \(rule.rawValue)\n\(rule.properties.summary).\n"), "\(rule.rawValue)")
            #expect(page.contains("# check=skip=\(rule.rawValue)\n"), "\(rule.rawValue)")
            let row = "| [\(rule.rawValue)](\(rule.rawValue).md) | \(rule.properties.severity.rawValue) |"
            #expect(list.contains(row), "\(rule.rawValue)")
            #expect(rule.page == "docs/rules/\(rule.rawValue).md")
        }
        let pages = try FileManager.default.contentsOfDirectory(atPath: root.path(percentEncoded: false))
        #expect(pages.count == Rule.allCases.count + 1)
    }
}
