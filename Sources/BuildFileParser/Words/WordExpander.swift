/// Text that an expansion made, with a mark for each byte that quotes or escapes protect.
struct ExpandedText {
    private(set) var bytes: [UInt8] = []
    private(set) var isQuoted: [Bool] = []

    var count: Int { bytes.count }

    mutating func append(_ text: some Collection<UInt8>, quoted: Bool) {
        bytes.append(contentsOf: text)
        isQuoted.append(contentsOf: repeatElement(quoted, count: text.count))
    }
}

/// Puts the values of variables into a word.
struct WordExpander {
    /// Values that refer to themselves several times over grow without bound; this is the bound.
    private static let sizeLimit = 1 << 20
    /// How much work a pattern may be: each of its bytes may be compared at each place of the value.
    private static let comparisonLimit = 1 << 26

    private(set) var used: [String] = []
    private(set) var missing: [String] = []
    private var seen: Set<String> = []
    /// The bytes that variables have made.
    private var grown = 0

    mutating func expand(
        _ parts: [WordPart],
        into result: inout ExpandedText,
        _ lookup: (String) -> String?
    ) throws(WordError) {
        for part in parts {
            switch part {
            case .text(let text, let quoted):
                result.append(text, quoted: quoted)
            case .variable(let name, let form, let quoted, let range):
                let value = try value(of: name, form, at: range, lookup)
                grown += value.count
                guard grown <= Self.sizeLimit else { throw Self.tooLarge(at: range) }
                result.append(value, quoted: quoted)
            }
        }
    }

    private static func tooLarge(at range: Range<Int>) -> WordError {
        WordError("the value grows beyond \(sizeLimit >> 20) MiB", at: range)
    }

    private mutating func value(
        of name: String,
        _ form: Substitution,
        at range: Range<Int>,
        _ lookup: (String) -> String?
    ) throws(WordError) -> [UInt8] {
        let value = look(up: name, lookup)
        func isSet(_ emptyIsUnset: Bool) -> Bool { emptyIsUnset ? value?.isEmpty == false : value != nil }
        let bytes = Array((value ?? "").utf8)
        switch form {
        case .value:
            return bytes
        case .defaultValue(let word, let emptyIsUnset):
            return isSet(emptyIsUnset) ? bytes : try text(of: word, lookup).bytes
        case .alternative(let word, let emptyIsUnset):
            return isSet(emptyIsUnset) ? try text(of: word, lookup).bytes : []
        case .required(let word, let emptyIsUnset):
            if isSet(emptyIsUnset) { return bytes }
            let message = try text(of: word, lookup).bytes.text
            let reason = value == nil ? "is not set but required" : "is empty but required"
            throw WordError(message.isEmpty ? "`\(name)` \(reason)" : "\(name): \(message)", at: range)
        case .withoutPrefix(let word, let longest):
            let pattern = try pattern(word, for: bytes, at: range, lookup)
            return pattern.removingPrefix(from: bytes, longest: longest)
        case .withoutSuffix(let word, let longest):
            let pattern = try pattern(word, for: bytes, at: range, lookup)
            return pattern.removingSuffix(from: bytes, longest: longest)
        case .replacing(let word, let replacement, let all):
            let pattern = try pattern(word, for: bytes, at: range, lookup)
            let replacement = try text(of: replacement, lookup).bytes
            let limit = max(Self.sizeLimit, bytes.count)
            guard let result = pattern.replacing(in: bytes, with: replacement, all: all, limit: limit) else {
                throw Self.tooLarge(at: range)
            }
            return result
        }
    }

    private mutating func pattern(
        _ word: [WordPart],
        for value: [UInt8],
        at range: Range<Int>,
        _ lookup: (String) -> String?
    ) throws(WordError) -> ShellPattern {
        let text = try text(of: word, lookup)
        guard text.count * value.count <= Self.comparisonLimit else {
            throw WordError("the pattern is too long for a value of \(value.count) bytes", at: range)
        }
        return ShellPattern(text)
    }

    private mutating func text(of word: [WordPart], _ lookup: (String) -> String?) throws(WordError) -> ExpandedText {
        var result = ExpandedText()
        try expand(word, into: &result, lookup)
        return result
    }

    private mutating func look(up name: String, _ lookup: (String) -> String?) -> String? {
        let value = lookup(name)
        if seen.insert(name).inserted {
            if value == nil { missing.append(name) } else { used.append(name) }
        }
        return value
    }
}
