/// What a token allows: some actions on one repository.
///
/// Source: distribution's token authentication specification, "Token Scope".
struct TokenScope: Sendable, Hashable, Comparable {
    enum Actions: String, Sendable {
        case pull
        case pullAndPush = "pull,push"
    }

    let text: String

    init(_ repository: String, _ actions: Actions) { text = "repository:\(repository):\(actions.rawValue)" }

    private init(text: String) { self.text = text }

    /// Kind and name of what it is about.
    private var resource: Substring { text[..<(text.lastIndex(of: ":") ?? text.endIndex)] }

    private var actions: [Substring] { text[resource.endIndex...].dropFirst().split(separator: ",") }

    /// Whether it allows all that `other` allows.
    func covers(_ other: TokenScope) -> Bool {
        resource == other.resource && other.actions.allSatisfy(actions.contains)
    }

    /// The scopes of a challenge that are about something else than `known` ones: a registry may name things otherwise.
    static func others(in challenge: String, than known: [TokenScope]) -> [TokenScope] {
        let scopes = challenge.split(separator: " ").prefix(8).map { TokenScope(text: String($0)) }
        return scopes.filter { scope in !known.contains { $0.resource == scope.resource } }
    }

    static func < (left: TokenScope, right: TokenScope) -> Bool { left.text < right.text }
}
