/// A variable that a word asks for.
struct VariableUse: Sendable, Hashable {
    var name: String
    /// Whether the word says itself what is there without it, as `${x:-y}` does.
    var hasFallback: Bool
    /// Where it stands.
    var range: SourceRange
}

extension Word {
    /// The variables that the word asks for; none where it is malformed.
    ///
    /// What stands in `${x:-…}` counts only where x is not defined, what stands in `${x:+…}` only where it is.
    func variableUses(_ isDefined: (String) -> Bool) -> [VariableUse] {
        guard raw.utf8.contains(.dollar) else { return [] }
        var parser = WordSyntaxParser(Array(raw.utf8), escape: escape.asciiValue ?? .backslash)
        guard let parts = try? parser.parse() else { return [] }
        var uses: [VariableUse] = []
        collect(parts, into: &uses, isDefined)
        return uses
    }

    private func collect(_ parts: [WordPart], into uses: inout [VariableUse], _ isDefined: (String) -> Bool) {
        for case .variable(let name, let form, _, let range) in parts {
            var hasFallback = false
            switch form {
            case .value: break
            case .defaultValue(let word, _):
                hasFallback = true
                if !isDefined(name) { collect(word, into: &uses, isDefined) }
            case .alternative(let word, _):
                hasFallback = true
                if isDefined(name) { collect(word, into: &uses, isDefined) }
            case .required(let word, _):
                hasFallback = true
                collect(word, into: &uses, isDefined)
            case .withoutPrefix(let word, _), .withoutSuffix(let word, _): collect(word, into: &uses, isDefined)
            case .replacing(let pattern, let replacement, _):
                collect(pattern, into: &uses, isDefined)
                collect(replacement, into: &uses, isDefined)
            }
            uses.append(VariableUse(name: name, hasFallback: hasFallback, range: place(of: range)))
        }
    }

    /// A part of the word in the file: the exact one where the word is in one piece there, else the whole.
    func place(of part: Range<Int>) -> SourceRange {
        guard range.start.line == range.end.line, range.end.column - range.start.column == raw.utf8.count else {
            return range
        }
        var place = range
        place.start.column += part.lowerBound
        place.end.column = range.start.column + part.upperBound
        return place
    }

    /// The text where every variable in it has a known value.
    func knownText(_ value: (String) -> VariableValue?) -> String? {
        var isKnown = true
        let expansion = try? expand { name in
            switch value(name) {
            case .text(let text): return text
            case .unknown, nil:
                isKnown = false
                return nil
            }
        }
        return isKnown ? expansion?.text : nil
    }
}

/// What is known about a variable that is defined.
enum VariableValue: Sendable, Hashable {
    case text(String)
    /// It comes from the command line, from the base image, or from other such values.
    case unknown
}

/// Variables by name, and their names in the order of definition.
struct KnownVariables: Sendable {
    /// Suggestions are looked for among so many names.
    private static let suggestionLimit = 256
    /// So many bytes of values are kept: values that name each other grow without bound.
    private static let sizeLimit = 4 << 20

    private var values: [String: VariableValue] = [:]
    private(set) var names: [String] = []
    private var size = 0

    subscript(name: String) -> VariableValue? { values[name] }

    func isDefined(_ name: String) -> Bool { values[name] != nil }

    mutating func define(_ name: String, _ value: VariableValue) {
        var value = value
        if case .text(let text) = value {
            size += text.utf8.count
            if size > Self.sizeLimit { value = .unknown }
        }
        if values.updateValue(value, forKey: name) == nil { names.append(name) }
    }

    func suggestion(for name: String) -> String? {
        BuildFileParser.suggestion(for: name, among: Array(names.prefix(Self.suggestionLimit)))
    }
}

/// The arguments that every FROM can use, and every stage that declares them (Dockerfile reference, "Automatic platform
/// ARGs in the global scope").
let automaticArguments = [
    "TARGETPLATFORM", "TARGETOS", "TARGETARCH", "TARGETVARIANT", "BUILDPLATFORM", "BUILDOS", "BUILDARCH",
    "BUILDVARIANT", "TARGETSTAGE",
]
