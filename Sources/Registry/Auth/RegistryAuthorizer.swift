import OCI
import Synchronization

/// What goes into Authorization for one server: credentials themselves, or tokens that they are exchanged for.
///
/// Source: distribution's token authentication and OAuth 2 specifications; RFC 7617 for Basic.
final class RegistryAuthorizer: Sendable {
    typealias Lookup = @Sendable (_ repository: String) throws(CredentialError) -> RegistryCredentials?

    struct Authorization {
        var value: String
        /// Whether it was made after a refusal, for the call at hand.
        var isFresh: Bool
    }

    /// What a server was found to want.
    enum Kind: Hashable {
        case basic
        case bearer(realm: HTTPURL, service: String?)
    }

    struct State {
        var kind: Kind?
        var tokens: [[TokenScope]: BearerToken] = [:]
        var credentials: [String: RegistryCredentials?] = [:]
        /// Scopes that the server asked for beside those that calls know of.
        var furtherScopes: [String: [TokenScope]] = [:]
    }

    let network: RegistryNetwork
    private let lookup: Lookup
    /// The registry's own host where no certificate of it has to count: its token server may be beside it.
    private let insecureHost: String?
    /// Locked while a token is fetched: who needs the same one waits for it.
    private let state = Mutex(State())
    /// What must not be shown.
    private let secrets = Mutex<Set<String>>([])

    init(network: RegistryNetwork, insecureHost: String?, credentials lookup: @escaping Lookup) {
        self.network = network
        self.insecureHost = insecureHost
        self.lookup = lookup
    }

    /// What a call can show before it is asked to; `nil` where nothing is known to be wanted.
    func authorization(for call: RegistryCall) throws(RegistryFailure) -> Authorization? {
        try state.withLock { (state) throws(RegistryFailure) in
            guard let kind = state.kind else { return nil }
            return try authorization(kind, for: call, &state, refused: nil)
        }
    }

    /// What a call can show after a server refused it (401); `nil` where there is nothing better than before.
    func authorization(
        for call: RegistryCall,
        after answer: RegistryAnswer,
        refused: Authorization?
    ) throws(RegistryFailure) -> Authorization? {
        let challenges = AuthChallenge.all(in: answer.head)
        return try state.withLock { (state) throws(RegistryFailure) in
            guard let kind = try kind(challenges, from: answer.url) else { return nil }
            state.kind = kind
            if let scope = challenges.first(where: { $0.scheme == "bearer" })?.parameters["scope"] {
                state.furtherScopes[call.repository] = TokenScope.others(in: scope, than: call.scopes)
            }
            var authorization = try authorization(kind, for: call, &state, refused: refused)
            authorization?.isFresh = true
            return authorization?.value == refused?.value ? nil : authorization
        }
    }

    /// Whether credentials were used for a repository.
    func hasCredentials(for repository: String) -> Bool {
        state.withLock { ($0.credentials[repository] ?? nil) != nil }
    }

    /// The text without any secret that was sent: a server may repeat what it was told.
    func redacting(_ text: String) -> String {
        secrets.withLock { secrets in
            secrets.sorted { $0.utf8.count > $1.utf8.count }.reduce(text) { text, secret in
                text.replacing(secret, with: "…")
            }
        }
    }

    /// Bearer before Basic: it shows the registry less.
    private func kind(_ challenges: [AuthChallenge], from url: HTTPURL) throws(RegistryFailure) -> Kind? {
        if let bearer = challenges.first(where: { $0.scheme == "bearer" }) {
            guard let realm = bearer.parameters["realm"].flatMap(HTTPURL.init) else {
                throw RegistryFailure(.malformed("its token server (realm) has no usable URL"))
            }
            guard realm.origin.isSecure || !url.origin.isSecure else {
                let place = RegistrySaying.shown(redacting(redacted(realm.text)))
                throw RegistryFailure(.refusedRedirect(to: "the token server \(place)"))
            }
            return .bearer(realm: realm, service: bearer.parameters["service"])
        }
        return challenges.contains { $0.scheme == "basic" } ? .basic : nil
    }

    private func authorization(
        _ kind: Kind,
        for call: RegistryCall,
        _ state: inout State,
        refused: Authorization?
    ) throws(RegistryFailure) -> Authorization? {
        if let token = try credentials(for: call.repository, &state)?.registryToken {
            return Authorization(value: "Bearer \(token)", isFresh: false)
        }
        switch kind {
        case .basic:
            guard let credentials = try credentials(for: call.repository, &state) else { return nil }
            return Authorization(value: basic(credentials), isFresh: false)
        case .bearer(let realm, let service):
            let scopes = (call.scopes + (state.furtherScopes[call.repository] ?? [])).sorted()
            if let token = Self.token(covering: scopes, in: state), refused?.value != "Bearer \(token.text)" {
                return Authorization(value: "Bearer \(token.text)", isFresh: false)
            }
            let credentials = try credentials(for: call.repository, &state)
            let request = TokenRequest(realm: realm, service: service, scopes: scopes, credentials: credentials)
            let token = try fetch(request)
            state.tokens[scopes] = token
            return Authorization(value: "Bearer \(token.text)", isFresh: true)
        }
    }

    /// A good token for these scopes or more.
    private static func token(covering scopes: [TokenScope], in state: State) -> BearerToken? {
        if let token = state.tokens[scopes] { return token.isGood ? token : nil }
        return state.tokens.first { key, token in
            token.isGood && !scopes.isEmpty && scopes.allSatisfy { scope in key.contains { $0.covers(scope) } }
        }?.value
    }

    private func credentials(
        for repository: String,
        _ state: inout State
    ) throws(RegistryFailure) -> RegistryCredentials? {
        if let found = state.credentials[repository] { return found }
        do {
            let found = try lookup(repository)
            state.credentials[repository] = .some(found)
            hide([found?.password, found?.identityToken, found?.registryToken])
            return found
        } catch {
            throw RegistryFailure(.credentials(error))
        }
    }

    private func basic(_ credentials: RegistryCredentials) -> String {
        let encoded = Base64.encoded("\(credentials.user):\(credentials.password)".utf8)
        hide([encoded])
        return "Basic \(encoded)"
    }

    private func hide(_ texts: [String?]) {
        secrets.withLock { secrets in
            for case let text? in texts where !text.isEmpty { secrets.formUnion([text, percentEncoded(text)]) }
        }
    }
}

// MARK: token servers

/// What a token server is asked.
struct TokenRequest {
    var realm: HTTPURL
    var service: String?
    var scopes: [TokenScope]
    var credentials: RegistryCredentials?
}

extension RegistryAuthorizer {
    /// A token is no document.
    private static let largestAnswer = 1 << 20

    private func fetch(_ request: TokenRequest) throws(RegistryFailure) -> BearerToken {
        let http = self.http(request)
        let server = request.realm.origin.authority
        let answer = try patiently(server) { () throws(RegistryFailure) in
            let answer = try network.follow(http, into: AnswerBody(limit: Self.largestAnswer))
            guard !RegistryFailure.passingStatuses.contains(answer.head.status) else {
                throw RegistryFailure(
                    .noToken(server: server, why: "it answered \(answer.head.status)"),
                    mayPass: true,
                    retryAfter: answer.head.retryAfter
                )
            }
            return answer
        }
        let said = RegistrySaying.text(of: answer.head.isSuccess ? [] : answer.body, hiding: redacting)
        switch answer.head.status {
        case 200..<300: break
        // The OAuth 2 way of saying it: RFC 6749, section 5.2.
        case 400 where request.credentials?.identityToken != nil, 401:
            throw RegistryFailure(.unauthorized(hadCredentials: request.credentials != nil, said: said))
        case 403: throw RegistryFailure(.denied(hadCredentials: request.credentials != nil, said: said))
        default:
            let status = "it answered \(answer.head.status)" + (said.isEmpty ? "" : " (\(said))")
            throw RegistryFailure(.noToken(server: server, why: status))
        }
        guard let json = try? JSONValue(parsing: answer.body, as: "token"), let token = BearerToken(json: json),
            HTTPField(name: "Authorization", value: token.text).isSafe
        else { throw RegistryFailure(.noToken(server: server, why: "its answer has none")) }
        hide([token.text])
        return token
    }

    /// Tries as often as may be; what fails then has had its patience, and is not to be tried again from outside.
    private func patiently(
        _ server: String,
        _ attempt: () throws(RegistryFailure) -> RegistryAnswer
    ) throws(RegistryFailure) -> RegistryAnswer {
        do throws(RegistryFailure) {
            return try network.retrying(attempt)
        } catch {
            var failure = RegistryFailure(error.reason)
            failure.server = error.server ?? server
            throw failure
        }
    }

    /// With an identity token as OAuth 2 has it, else as the older specification does, for all servers know that.
    private func http(_ request: TokenRequest) -> RegistryRequest {
        let scopes = request.scopes.map(\.text)
        if let refresh = request.credentials?.identityToken, !refresh.isEmpty {
            var form = [
                ("grant_type", "refresh_token"), ("client_id", "swbuild"), ("refresh_token", refresh),
                ("scope", scopes.joined(separator: " ")),
            ]
            if let service = request.service { form.append(("service", service)) }
            let text = form.map { "\($0)=\(percentEncoded($1))" }.joined(separator: "&")
            return RegistryRequest(
                method: .post,
                url: request.realm,
                fields: [HTTPField(name: "Content-Type", value: "application/x-www-form-urlencoded")],
                body: .bytes(Array(text.utf8)),
                isInsecure: request.realm.origin.host == insecureHost,
                hasSecretBody: true,
                hiding: redacting
            )
        }
        var url = request.realm
        if let service = request.service { url = url.adding("service", service) }
        for scope in scopes { url = url.adding("scope", scope) }
        if let user = request.credentials?.user { url = url.adding("account", user) }
        return RegistryRequest(
            url: url,
            authorization: request.credentials.map(basic),
            isInsecure: request.realm.origin.host == insecureHost,
            hiding: redacting
        )
    }
}
