/// What a server asks somebody to identify themselves with.
///
/// Source: RFC 9110, sections 11.3 and 11.6.1.
struct AuthChallenge: Sendable, Hashable {
    /// `basic` or `bearer`, in lower case.
    let scheme: String
    /// By name in lower case; of one that is given twice, the first.
    let parameters: [String: String]

    /// The challenges of all WWW-Authenticate fields of a head, in their order.
    static func all(in head: HTTPHead) -> [AuthChallenge] {
        head.fields.filter { $0.name.lowercased() == "www-authenticate" }.flatMap { parse($0.value) }
    }

    /// The challenges of one field; what comes after the first that is malformed is left out.
    static func parse(_ value: String) -> [AuthChallenge] {
        var scanner = Scanner(rest: Substring(value).utf8)
        var result: [AuthChallenge] = []
        scanner.skipSeparators()
        while let scheme = scanner.token() {
            var parameters: [String: String] = [:]
            scanner.skipBlanks()
            scanner.skipToken68()
            scanner.skipSeparators()
            // A name without `=` behind it is the next challenge's scheme.
            while let (name, value) = scanner.parameter() {
                if parameters[name] == nil { parameters[name] = value }
                scanner.skipSeparators()
            }
            result.append(AuthChallenge(scheme: scheme.lowercased(), parameters: parameters))
        }
        return result
    }
}

private struct Scanner {
    var rest: Substring.UTF8View

    mutating func skipBlanks() { rest = rest.drop { $0 == 0x20 || $0 == 0x09 } }

    mutating func skipSeparators() { rest = rest.drop { $0 == 0x20 || $0 == 0x09 || $0 == UInt8(ascii: ",") } }

    mutating func token() -> String? {
        let token = rest.prefix(while: Self.isTokenByte)
        guard !token.isEmpty else { return nil }
        rest = rest[token.endIndex...]
        return String(Substring(token))
    }

    /// A word such as base 64, which some schemes have in place of parameters.
    mutating func skipToken68() {
        let word = rest.prefix { Self.isTokenByte($0) || $0 == UInt8(ascii: "/") }
        let end = rest[word.endIndex...].drop { $0 == UInt8(ascii: "=") }
        let isAlone = end.first == nil || end.first == UInt8(ascii: ",")
        if !word.isEmpty, isAlone { rest = end }
    }

    /// `name=value` or `name="value"`; `nil`, with nothing taken, for anything else.
    mutating func parameter() -> (name: String, value: String)? {
        var attempt = self
        guard let name = attempt.token() else { return nil }
        attempt.skipBlanks()
        guard attempt.rest.first == UInt8(ascii: "=") else { return nil }
        attempt.rest = attempt.rest.dropFirst()
        attempt.skipBlanks()
        guard let value = attempt.rest.first == 0x22 ? attempt.quoted() : attempt.token() else { return nil }
        self = attempt
        return (name.lowercased(), value)
    }

    private mutating func quoted() -> String? {
        var result: [UInt8] = []
        rest = rest.dropFirst()
        while let byte = rest.popFirst() {
            switch byte {
            case 0x22: return String(decoding: result, as: UTF8.self)
            case 0x5C:
                guard let escaped = rest.popFirst() else { return nil }
                result.append(escaped)
            default: result.append(byte)
            }
        }
        return nil
    }

    /// Source: RFC 9110, section 5.6.2.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
