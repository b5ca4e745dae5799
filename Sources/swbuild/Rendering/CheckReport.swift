import BuildFileParser
import Builder
import OCI

/// What a build file's checks found, as text or JSON.
struct CheckReport {
    let fileName: String
    let source: [UInt8]
    let findings: [Finding]
    let options: CheckOptions

    /// Findings in the order of the file, and at the end how many there are.
    func text(color: Bool) -> String {
        guard !findings.isEmpty else { return "Check complete, no warnings found." }
        let renderer = DiagnosticRenderer(fileName: fileName, source: source, color: color)
        let severity: DiagnosticRenderer.Severity = options.findingsAreErrors ? .error : .warning
        let blocks = findings.map { renderer.render($0.diagnostic, as: severity) }
        let count = findings.count == 1 ? "1 warning has been found!" : "\(findings.count) warnings have been found!"
        return (blocks + ["Check complete, \(count)"]).joined(separator: "\n")
    }

    /// The members of BuildKit's result, and each finding's severity, exact words and notes.
    var json: JSONValue {
        .object(["warnings": .array(findings.map { .object($0.json) }), "sources": Self.sources(fileName, source)])
    }

    /// The result where the file cannot be read as a build file.
    static func json(of error: Diagnostic, in request: BuildRequest) -> JSONValue {
        var members: [String: JSONValue] = ["message": .string(error.message), "notes": .strings(error.notes)]
        if let range = error.range { members["location"] = range.location }
        let sources = sources(request.buildFileName, request.buildFile)
        return .object(["warnings": .array([]), "buildError": .object(members), "sources": sources])
    }

    private static func sources(_ fileName: String, _ source: [UInt8]) -> JSONValue {
        let members = ["filename": fileName, "language": "Dockerfile", "data": Base64.encoded(source)]
        return .array([.object(members.mapValues(JSONValue.string))])
    }
}

extension Finding {
    var json: [String: JSONValue] {
        [
            "ruleName": .string(rule.rawValue),
            "description": .string(rule.properties.summary),
            "severity": .string(rule.properties.severity.rawValue),
            "url": .string(rule.page),
            "detail": .string(message),
            "notes": .strings(notes),
            "location": .object(["ranges": .array([instruction.json]), "words": range.json]),
        ]
    }
}

extension SourceRange {
    /// Lines count from 1 and characters, which are bytes, from 0, as in BuildKit.
    var json: JSONValue { .object(["start": start.json, "end": end.json]) }

    /// As the location of something.
    var location: JSONValue { .object(["ranges": .array([json])]) }
}

extension SourcePosition {
    fileprivate var json: JSONValue {
        .object(["line": .integer(Int64(line)), "character": .integer(Int64(column - 1))])
    }
}
