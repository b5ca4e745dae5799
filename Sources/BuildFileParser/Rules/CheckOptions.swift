/// What `# check=…` or the build argument `BUILDKIT_DOCKERFILE_CHECK` asks for.
///
/// Dockerfile reference, "check": `skip=A,B;error=true;experimental=C`, each also `all` for rules.
public struct CheckOptions: Sendable, Hashable {
    /// Some of the rules.
    public enum Rules: Sendable, Hashable {
        case some([Rule])
        case all

        func contains(_ rule: Rule) -> Bool {
            switch self {
            case .all: true
            case .some(let rules): rules.contains(rule)
            }
        }
    }

    /// The rules that are not applied.
    public private(set) var skipped = Rules.some([])
    /// The experimental rules that are applied.
    public private(set) var experimental = Rules.some([])
    /// Whether a finding is an error.
    public private(set) var findingsAreErrors = false
    /// The names that are no rule's, as findings.
    public private(set) var unknown: [Finding] = []

    /// The options of a file without a directive.
    public init() {}

    /// Parses the value of the directive; without a place, that of the build argument.
    ///
    /// - Throws: what is malformed. A name that is no rule's is only a finding: it may be another builder's rule.
    public init(parsing text: String, at place: SourceRange?) throws(Diagnostic) {
        let bytes = Array(text.utf8)
        var start = 0
        while start <= bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: ";")) ?? bytes.count
            let part = bytes.trimmingBlanks(start..<end)
            if !part.isEmpty { try read(CheckPart(bytes: bytes, range: part, place: place)) }
            start = end + 1
        }
    }

    /// Whether findings of the rule are wanted.
    public func applies(_ rule: Rule) -> Bool {
        if skipped.contains(rule) { return false }
        return !rule.properties.isExperimental || experimental.contains(rule)
    }

    private mutating func read(_ part: CheckPart) throws(Diagnostic) {
        guard let sign = part.bytes[part.range].firstIndex(of: .equals) else {
            throw part.diagnostic("`\(part.text)` is no option of a check: it has no `=`")
        }
        let name = part.bytes[part.bytes.trimmingBlanks(part.range.lowerBound..<sign)].text
        let value = part.bytes.trimmingBlanks((sign + 1)..<part.range.upperBound)
        switch name {
        case "skip": skipped = rules(value, of: part)
        case "experimental": experimental = rules(value, of: part)
        case "error":
            guard let flag = Self.boolean(part.bytes[value].text) else {
                throw part.diagnostic("`error` of a check is true or false, not `\(part.bytes[value].text)`")
            }
            findingsAreErrors = flag
        default: throw part.diagnostic("a check has no option `\(name)`")
        }
    }

    private mutating func rules(_ range: Range<Int>, of part: CheckPart) -> Rules {
        var result: [Rule] = []
        var start = range.lowerBound
        while start < range.upperBound {
            let end = part.bytes[start..<range.upperBound].firstIndex(of: UInt8(ascii: ",")) ?? range.upperBound
            let name = part.bytes.trimmingBlanks(start..<end)
            let text = part.bytes[name].text
            if text == "all" { return .all }
            if let rule = Rule(rawValue: text) {
                result.append(rule)
            } else if !text.isEmpty {
                let guess = suggestion(for: text, among: Rule.allCases.map(\.rawValue))
                unknown.append(part.unknown(text, at: name).noting(guess.map { "did you mean `\($0)`?" }))
            }
            start = end + 1
        }
        return .some(result)
    }

    /// Go's strconv.ParseBool, which BuildKit uses.
    private static func boolean(_ text: String) -> Bool? {
        switch text {
        case "1", "t", "T", "true", "True", "TRUE": true
        case "0", "f", "F", "false", "False", "FALSE": false
        default: nil
        }
    }
}

/// One option of a check, and where it stands.
private struct CheckPart {
    var bytes: [UInt8]
    var range: Range<Int>
    /// The place of the whole value; `nil` where it is a build argument.
    var place: SourceRange?

    var text: String { bytes[range].text }

    func place(of range: Range<Int>) -> SourceRange? {
        guard var result = place else { return nil }
        result.end.column = result.start.column + range.upperBound
        result.start.column += range.lowerBound
        return result
    }

    /// What is said where the build argument is meant.
    private var source: String { place == nil ? "BUILDKIT_DOCKERFILE_CHECK: " : "" }

    func unknown(_ name: String, at range: Range<Int>) -> Finding {
        let top = SourcePosition(line: 1, column: 1)
        let here = place(of: range) ?? SourceRange(start: top, end: top)
        return Finding(.unknownCheck, "\(source)there is no check `\(name)`", at: here, in: place ?? here)
    }

    func diagnostic(_ message: String) -> Diagnostic {
        Diagnostic(
            source + message,
            at: place(of: range),
            notes: ["write `skip=Rule,…`, `error=true` and `experimental=Rule,…`, joined by `;`"]
        )
    }
}
