import LayerDiff
import OCI

/// The forms in which a secret's value is looked for, as byte patterns.
struct SecretForms: Sendable {
    /// What a pattern stands for.
    struct Origin: Sendable, Hashable {
        var secret: SecretName
        var form: Form
    }

    /// A form of a value.
    enum Form: Sendable, Hashable {
        case plain
        case base64
        /// One line of a private key.
        case keyLine
    }

    /// The patterns, and what each of them stands for.
    private(set) var patterns: [[UInt8]] = []
    private(set) var origins: [Origin] = []
    /// The secrets whose values are too short, or too plain, to be looked for.
    private(set) var leftOut: [SecretName] = []

    /// With fewer different bytes than this, a value is one that other files have as well.
    private static let fewestDifferentBytes = 4
    /// So long must words of small letters with blanks between them be.
    private static let shortestText = 16
    /// How long the lines of base64 are that tools write: RFC 2045, section 6.8.
    private static let lineLength = 76

    init(of values: [(name: SecretName, value: [UInt8])]) {
        for (name, value) in values {
            let core = Self.trimmed(value)
            guard core.count >= PatternSearch.shortestPattern, !Self.isPlain(core) else {
                leftOut.append(name)
                continue
            }
            add(Array(core), name, .plain)
            for line in Self.keyLines(of: core) { add(line, name, .keyLine) }
            for text in Self.base64(of: Array(core.prefix(PatternSearch.longestPattern))) { add(text, name, .base64) }
        }
    }

    /// Whether a value is likely to be in files that have nothing to do with it: few different bytes, or a few words, as
    /// in any text.
    private static func isPlain(_ value: ArraySlice<UInt8>) -> Bool {
        if Set(value).count < fewestDifferentBytes { return true }
        let isText = value.allSatisfy { $0 == 0x20 || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
        return isText && value.count < shortestText && value.contains(0x20)
    }

    private mutating func add(_ pattern: [UInt8], _ name: SecretName, _ form: Form) {
        guard pattern.count >= PatternSearch.shortestPattern else { return }
        patterns.append(pattern)
        origins.append(Origin(secret: name, form: form))
    }

    /// A value without the blanks around it: files end in a newline that is no part of what they hold.
    private static func trimmed(_ value: [UInt8]) -> ArraySlice<UInt8> {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        var rest = value[...]
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        while let first = rest.first, isBlank(first) { rest.removeFirst() }
        return rest
    }

    /// The lines of private keys in PEM, RFC 7468, by which one is known that was indented or joined.
    ///
    /// The first line of a key is the same in many keys of a kind. Certificates beside a key are public.
    private static func keyLines(of value: ArraySlice<UInt8>) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var body: Int?
        for line in value.split(separator: 0x0A) {
            let text = trimmed(Array(line))
            if text.starts(with: "-----BEGIN ".utf8) {
                body = String(decoding: text, as: UTF8.self).contains("PRIVATE KEY") ? 0 : nil
            } else if text.starts(with: "-----END ".utf8) {
                body = nil
            } else if let number = body {
                body = number + 1
                if number > 0, text.count >= 32 { lines.append(Array(text)) }
            }
        }
        return lines
    }

    // MARK: base64

    /// What base64 shows of a value: at the beginning of what is encoded, also in lines, and behind one or two other
    /// bytes; where the alphabet for URLs differs, in that too (RFC 4648, sections 4 and 5).
    static func base64(of value: [UInt8]) -> [[UInt8]] {
        var result = (0..<3).map { shift in
            // Only characters that the value alone decides.
            let encoded = Array(Base64.encoded([UInt8](repeating: 0, count: shift) + value).utf8)
            return Array(encoded[((shift * 8 + 5) / 6)..<((shift + value.count) * 8 / 6)])
        }
        if result[0].count > lineLength {
            let lines = stride(from: 0, to: result[0].count, by: lineLength).map { start in
                Array(result[0][start..<min(start + lineLength, result[0].count)])
            }
            result.append(Array(lines.joined(separator: [0x0A])))
        }
        let forURLs = result.map { text in
            text.map { $0 == UInt8(ascii: "+") ? UInt8(ascii: "-") : $0 == UInt8(ascii: "/") ? UInt8(ascii: "_") : $0 }
        }
        return result + forURLs.filter { !result.contains($0) }
    }
}

/// What names a value that must stay out of the image.
enum SecretName: Sendable, Hashable, CustomStringConvertible {
    /// The id of `--secret`.
    case secret(String)
    /// The id of `--ssh` with a private key.
    case key(agent: String)

    var description: String {
        switch self {
        case .secret(let id): "the secret `\(id)`"
        case .key(let agent): "the ssh key of `\(agent)`"
        }
    }
}
