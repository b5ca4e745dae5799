import BuildFileParser
import Testing

/// The findings of a build file, each as `Rule@line:column-column`; `…-line:column` where the end is on another line.
func findings(
    _ source: String,
    ignoring patterns: [String]? = nil,
    baseVariables: [Int: [String]] = [:]
) throws -> [String] {
    try allFindings(source, ignoring: patterns, baseVariables: baseVariables).map { finding in
        let (start, end) = (finding.range.start, finding.range.end)
        let last = start.line == end.line ? "\(end.column)" : "\(end.line):\(end.column)"
        return "\(finding.rule.rawValue)@\(start.line):\(start.column)-\(last)"
    }
}

func allFindings(
    _ source: String,
    ignoring patterns: [String]? = nil,
    baseVariables: [Int: [String]] = [:]
) throws -> [Finding] {
    let file = try parseBuildFile(Array(source.utf8))
    var input = CheckInput { name in
        !name.isEmpty && !name.hasSuffix(":") && name.utf8.allSatisfy { $0 > 0x20 && !(65...90).contains($0) }
    }
    if let check = file.directives.check { input.options = try CheckOptions(parsing: check.value, at: check.range) }
    input.ignoreRules = try patterns.map { patterns throws(Diagnostic) in try IgnoreRules(patterns: patterns) }
    input.baseVariables = baseVariables
    return file.findings(input)
}

/// A build file and what must be found in it.
struct Example: Sendable, CustomTestStringConvertible {
    var source: String
    var expected: [String]

    init(_ source: String, _ expected: String...) {
        self.source = source
        self.expected = expected
    }

    var testDescription: String { source }

    func check() throws {
        #expect(try findings(source) == expected)
    }
}
