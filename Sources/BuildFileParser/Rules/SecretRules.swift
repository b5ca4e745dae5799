/// Secrets in ARG and ENV, by their names and by their values.
func checkSecrets(_ context: CheckContext) -> [Finding] {
    var findings: [Finding] = []
    func check(_ keyword: String, _ name: Located<String>, _ value: Word?, text: String?, in place: SourceRange) {
        if SecretNames.isSecret(name.value, value: text) {
            findings.append(
                Finding(
                    .secretsUsedInArgOrEnv,
                    "Do not use ARG or ENV instructions for sensitive data (\(keyword) \"\(name.value)\")",
                    at: name.range,
                    in: place
                ).noting("give it to a step with RUN --mount=type=secret")
            )
        }
        if let value, let kind = SecretValueKind(of: value.raw) {
            findings.append(
                Finding(
                    .secretInArgOrEnvValue,
                    "The value of \(keyword) \"\(name.value)\" looks like \(kind.description), and the image shows it",
                    at: value.range,
                    in: place
                ).noting("withdraw it, and give its successor to a step with RUN --mount=type=secret")
            )
        }
    }
    func check(_ arg: ArgInstruction, in place: SourceRange) {
        for declaration in arg.declarations {
            let text = declaration.defaultValue?.knownText { _ in nil }
            check("ARG", declaration.name, declaration.defaultValue, text: text, in: place)
        }
    }
    for arg in context.file.globalArguments { check(arg.value, in: arg.range) }
    for stage in context.file.stages {
        for instruction in stage.instructions {
            switch instruction.value {
            case .arg(let arg): check(arg, in: instruction.range)
            case .env(let pairs):
                for pair in pairs {
                    let name = Located(pair.key.knownText { _ in nil } ?? pair.key.raw, at: pair.key.range)
                    let text = pair.value.knownText { _ in nil }
                    check("ENV", name, pair.value, text: text, in: instruction.range)
                }
            case .add, .cmd, .copy, .entrypoint, .expose, .healthcheck, .label, .maintainer, .onbuild, .run, .shell,
                .stopsignal, .user, .volume, .workdir:
                break
            }
        }
    }
    return findings
}

/// Names that say that their value is secret: the words are those of BuildKit's rule.
private enum SecretNames {
    private static let words = [
        "apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token",
    ]

    static func isSecret(_ name: String, value: String?) -> Bool {
        let parts = name.asciiLowercased.split(separator: "_", omittingEmptySubsequences: false)
        guard parts.contains(where: { words.contains(String($0)) }), !parts.contains("public") else { return false }
        return !isHarmless(parts, value: value)
    }

    /// What is surely no secret though its name sounds so: where a secret is, a switch, the fingerprint of a public key.
    private static func isHarmless(_ parts: [Substring], value: String?) -> Bool {
        if ["file", "path", "dir", "sock"].contains(parts.last) { return true }
        guard let value else { return false }
        if value.hasPrefix("/") || ["true", "false", "yes", "no", "on", "off"].contains(value.asciiLowercased) {
            return true
        }
        let isFingerprint = value.utf8.count >= 8 && value.utf8.count <= 40 && value.utf8.allSatisfy(\.isHexDigit)
        return isFingerprint && (parts.contains("gpg") || parts.contains("pgp"))
    }
}

/// Credentials that can be told by their form.
private struct SecretValueKind: CustomStringConvertible {
    /// A beginning that the issuer gives to all of a kind, and how many letters and digits follow at least.
    private static let prefixes: [(prefix: String, rest: Int, what: String)] = [
        ("AKIA", 16, "an access key of AWS"), ("ASIA", 16, "an access key of AWS"),
        ("ghp_", 36, "a token of GitHub"), ("gho_", 36, "a token of GitHub"), ("ghs_", 36, "a token of GitHub"),
        ("github_pat_", 50, "a token of GitHub"), ("glpat-", 20, "a token of GitLab"),
        ("xoxb-", 30, "a token of Slack"), ("xoxp-", 30, "a token of Slack"),
        ("sk_live_", 24, "a key of Stripe"), ("AIza", 35, "a key of Google"), ("npm_", 36, "a token of npm"),
        ("pypi-AgEI", 50, "a token of PyPI"), ("dckr_pat_", 20, "a token of Docker Hub"),
    ]

    let description: String

    init?(of raw: String) {
        let text = raw.utf8.filter { $0 != .singleQuote && $0 != .doubleQuote }.text
        guard !text.hasSuffix("EXAMPLE") else { return nil }
        for (prefix, rest, what) in Self.prefixes where text.hasPrefix(prefix) {
            let tail = text.utf8.dropFirst(prefix.utf8.count)
            guard tail.count >= rest, tail.allSatisfy(\.isTokenCharacter), Set(tail).count > 4 else { continue }
            description = what
            return
        }
        if text.hasPrefix("-----BEGIN "), text.contains(substring: "PRIVATE KEY-----") {
            description = "a private key"
        } else if Self.isURLWithPassword(text) {
            description = "an address with a password"
        } else {
            return nil
        }
    }

    /// `scheme://user:password@host`, all of it literal.
    private static func isURLWithPassword(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard let scheme = (0..<bytes.count).first(where: { bytes.has("://", at: $0, before: bytes.count) }),
            scheme > 0, bytes[..<scheme].allSatisfy({ $0.isASCIILetter || $0 == UInt8(ascii: "+") })
        else { return false }
        let rest = bytes[(scheme + 3)...]
        let authority = rest.prefix { $0 != .slash && $0 != UInt8(ascii: "?") && $0 != .hash }
        guard let at = authority.lastIndex(of: UInt8(ascii: "@")), authority.index(after: at) < authority.endIndex,
            let colon = authority[..<at].firstIndex(of: UInt8(ascii: ":")), colon + 1 < at
        else { return false }
        let password = authority[(colon + 1)..<at]
        let isPlaceholder = ["password", "pass", "secret", "changeme", "xxx"].contains(password.text.asciiLowercased)
        let marks = [UInt8.dollar, .less, UInt8(ascii: "{"), .star]
        return !isPlaceholder && !password.contains { marks.contains($0) }
    }
}

extension UInt8 {
    fileprivate var isHexDigit: Bool {
        isASCIIDigit || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(asciiLowercased)
    }

    fileprivate var isTokenCharacter: Bool {
        isASCIILetter || isASCIIDigit || self == UInt8(ascii: "_") || self == .dash
    }
}
