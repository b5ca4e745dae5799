import OCI
import Synchronization
import Testing

@testable import Registry

@Suite struct AuthTests {
    private static let manifest = "{\"schemaVersion\":2,\"config\":{},\"layers\":[]}"
    /// `user:secret`.
    private static let basic = "Basic dXNlcjpzZWNyZXQ="
    private let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private func store(_ host: String, _ entry: String = "\"auth\":\"dXNlcjpzZWNyZXQ=\"") throws -> CredentialStore {
        try credentials("{\"auths\":{\"\(host)\":{\(entry)}}}", in: scratch)
    }

    private func bearer(_ realm: String, _ scope: String) -> String {
        "WWW-Authenticate: Bearer realm=\"\(realm)\",service=\"the service\",scope=\"\(scope)\""
    }

    /// A registry that wants `Bearer good`, and a token server that `token` answers for.
    private func withTokens(
        _ token: @escaping @Sendable (LoopbackServer.Request) -> String,
        isGood: @escaping @Sendable (String) -> Bool = { $0 == "Bearer good" },
        _ body: (FakeRegistry, LoopbackServer) throws -> Void
    ) throws {
        let server = try LoopbackServer(answer: token)
        defer { server.stop() }
        let realm = server.url("/token?kind=a")
        let challenge = bearer(realm, "repository:a:pull")
        let registry = try FakeRegistry { request in
            isGood(request.value(of: "Authorization") ?? "")
                ? nil : refusal(401, "UNAUTHORIZED", "authentication required", [challenge])
        }
        defer { registry.stop() }
        registry.addManifest(Self.manifest, tag: "v1")
        try body(registry, server)
    }

    @Test func passwordsAreSentWhenAskedFor() throws {
        let registry = try FakeRegistry { request in
            request.value(of: "Authorization") == Self.basic
                ? nil : refusal(401, "UNAUTHORIZED", "no", ["WWW-Authenticate: Basic realm=\"r\""])
        }
        defer { registry.stop() }
        registry.addManifest(Self.manifest, tag: "v1")
        let store = try store(registry.host)
        let client = RegistryClient(quickly { $0.credentials = store })
        _ = try client.manifest(registry.name("a", ":v1"))
        _ = try client.manifest(registry.name("a", ":v1"))
        #expect(registry.requests.map { $0.value(of: "Authorization") } == [nil, Self.basic, Self.basic])
    }

    @Test func aTokenIsFetchedOnceForWhatItAllows() throws {
        let token: @Sendable (LoopbackServer.Request) -> String = { _ in ok("{\"token\":\"good\",\"expires_in\":300}") }
        try withTokens(token) { registry, server in
            let client = RegistryClient(quickly())
            _ = try client.manifest(registry.name("a", ":v1"))
            _ = try client.manifest(registry.name("a", ":v1"))
            let path = "/token?kind=a&service=the%20service&scope=repository%3Aa%3Apull"
            #expect(server.requests.map(\.path) == [path])
            #expect(server.requests.first?.value(of: "Authorization") == nil)
            // Another repository, and more than before, need another token.
            _ = try client.manifest(registry.name("b", ":v1"))
            _ = try client.pushManifest(Array(Self.manifest.utf8), mediaType: .manifest, to: registry.name("a", ":v2"))
            // What a token for more allows needs none.
            let before = server.requests.count
            #expect(try client.hasBlob(Digest(of: "".utf8), in: registry.name("a")) == false)
            #expect(server.requests.count == before)
            #expect(before == 3)
        }
    }

    @Test func credentialsGoToTheTokenServer() throws {
        let token: @Sendable (LoopbackServer.Request) -> String = { request in
            request.value(of: "Authorization") == Self.basic ? ok("{\"access_token\":\"good\"}") : status(401)
        }
        try withTokens(token) { registry, server in
            let store = try store(registry.host)
            _ = try RegistryClient(quickly { $0.credentials = store }).manifest(registry.name("a", ":v1"))
            #expect(server.requests.first?.path.hasSuffix("&account=user") == true)
            #expect(registry.requests.allSatisfy { $0.value(of: "Authorization") != Self.basic })
        }
    }

    @Test func anIdentityTokenIsExchanged() throws {
        let token: @Sendable (LoopbackServer.Request) -> String = { _ in ok("{\"access_token\":\"good\"}") }
        try withTokens(token) { registry, server in
            let store = try store(registry.host, "\"identitytoken\":\"refresh&me\",\"auth\":\"dXNlcjo=\"")
            _ = try RegistryClient(quickly { $0.credentials = store }).manifest(registry.name("a", ":v1"))
            let request = try #require(server.requests.first)
            #expect(request.method == "POST")
            #expect(
                String(decoding: request.body, as: UTF8.self)
                    == "grant_type=refresh_token&client_id=swbuild&refresh_token=refresh%26me"
                    + "&scope=repository%3Aa%3Apull&service=the%20service"
            )
        }
    }

    @Test(arguments: ["Basic realm=\"r\"", "Bearer realm=\"http://127.0.0.1:1/\",scope=\"a\""])
    func aRegistryTokenIsSentAsItIs(challenge: String) throws {
        let registry = try FakeRegistry { request in
            request.value(of: "Authorization") == "Bearer ready-made"
                ? nil : refusal(401, "UNAUTHORIZED", "no", ["WWW-Authenticate: \(challenge)"])
        }
        defer { registry.stop() }
        registry.addManifest(Self.manifest, tag: "v1")
        let store = try store(registry.host, "\"registrytoken\":\"ready-made\"")
        _ = try RegistryClient(quickly { $0.credentials = store }).manifest(registry.name("a", ":v1"))
        let bad = try self.store(registry.host, "\"registrytoken\":\"bad\"")
        let error = #expect(throws: RegistryError.self) {
            try RegistryClient(quickly { $0.credentials = bad }).manifest(registry.name("a", ":v1"))
        }
        #expect(error?.reason == .unauthorized(hadCredentials: true, said: "UNAUTHORIZED: no"))
        #expect(registry.requests.count == 4)
    }

    @Test func anIdentityTokenFollowsNoRedirectToAnotherServer() throws {
        let thief = try LoopbackServer { _ in ok("{\"token\":\"t\"}") }
        defer { thief.stop() }
        let place = thief.url("/steal")
        try withTokens({ _ in status(307, ["Location: \(place)"]) }) { registry, _ in
            let store = try store(registry.host, "\"identitytoken\":\"refresh\",\"auth\":\"dXNlcjo=\"")
            #expect(throws: RegistryError.self) {
                try RegistryClient(quickly { $0.credentials = store }).manifest(registry.name("a", ":v1"))
            }
        }
        #expect(thief.requests.isEmpty)
    }

    @Test func aTokenServerThatIsBusyIsAskedFourTimesAtMost() throws {
        try withTokens({ _ in status(503) }) { registry, server in
            #expect(throws: RegistryError.self) {
                try RegistryClient(quickly()).manifest(registry.name("a", ":v1"))
            }
            #expect(server.requests.count <= 4)
        }
    }

    @Test func aTokenThatIsRefusedIsReplacedOnce() throws {
        let count = Atomic(0)
        let token: @Sendable (LoopbackServer.Request) -> String = { _ in
            ok("{\"token\":\"token \(count.add(1, ordering: .relaxed).newValue)\",\"expires_in\":300}")
        }
        // Each token is good for as long as it is the newest.
        let isGood: @Sendable (String) -> Bool = { $0 == "Bearer token \(count.load(ordering: .relaxed))" }
        try withTokens(token, isGood: isGood) { registry, server in
            let client = RegistryClient(quickly())
            _ = try client.manifest(registry.name("a", ":v1"))
            count.add(1, ordering: .relaxed)
            _ = try client.manifest(registry.name("a", ":v1"))
            #expect(server.requests.count == 2)
            #expect(registry.requests.count == 4)
        }
    }

    @Test func anExpiredTokenIsNotEvenSent() throws {
        let token: @Sendable (LoopbackServer.Request) -> String = { _ in ok("{\"token\":\"good\",\"expires_in\":0}") }
        try withTokens(token) { registry, server in
            let client = RegistryClient(quickly())
            _ = try client.manifest(registry.name("a", ":v1"))
            _ = try client.manifest(registry.name("a", ":v1"))
            #expect(server.requests.count == 2)
            #expect(registry.requests.count == 3)
        }
    }

    @Test func refusalsWithoutEndEnd() throws {
        let token: @Sendable (LoopbackServer.Request) -> String = { _ in ok("{\"token\":\"bad\"}") }
        try withTokens(token) { registry, server in
            let error = #expect(throws: RegistryError.self) {
                try RegistryClient(quickly()).manifest(registry.name("a", ":v1"))
            }
            #expect(
                error?.reason == .unauthorized(hadCredentials: false, said: "UNAUTHORIZED: authentication required")
            )
            #expect(error.map { "\($0)".contains("swbuild login \(registry.host)") } == true)
            #expect(registry.requests.count == 2)
            #expect(server.requests.count == 1)
        }
    }

    @Test(arguments: [
        ok("{}"), ok("not JSON"), ok("{\"token\":\"\"}"), ok("{\"token\":\"a\\r\\nX-Header: b\"}"), status(418),
        ok("{\"token\":\"\(String(repeating: "x", count: 2 << 20))\"}"),
    ])
    func aTokenServerThatGivesNoTokenIsAnError(answer: String) throws {
        try withTokens({ _ in answer }) { registry, server in
            let error = #expect(throws: RegistryError.self) {
                try RegistryClient(quickly()).manifest(registry.name("a", ":v1"))
            }
            switch error?.reason {
            case .noToken, .tooLarge: break
            default: Issue.record("\(String(describing: error))")
            }
            #expect(server.requests.count == 1)
        }
    }

    @Test func aTokenServerMayBeBusy() throws {
        let isFirst = Atomic(true)
        let token: @Sendable (LoopbackServer.Request) -> String = { _ in
            isFirst.exchange(false, ordering: .relaxed) ? status(503) : ok("{\"token\":\"good\"}")
        }
        try withTokens(token) { registry, server in
            _ = try RegistryClient(quickly()).manifest(registry.name("a", ":v1"))
            #expect(server.requests.count == 2)
        }
    }

    @Test func noSecretIsShown() throws {
        // Both servers say all that they know.
        let token: @Sendable (LoopbackServer.Request) -> String = { _ in ok("{\"token\":\"the-token\"}") }
        let echo: @Sendable (LoopbackServer.Request) -> String = { request in
            refusal(418, "ECHO", "you said \(request.value(of: "Authorization") ?? "") for secret")
        }
        let server = try LoopbackServer(answer: token)
        defer { server.stop() }
        let challenge = bearer(server.url("/token"), "repository:a:pull")
        let registry = try FakeRegistry { request in
            request.value(of: "Authorization") == nil ? status(401, [challenge]) : echo(request)
        }
        defer { registry.stop() }
        let store = try store(registry.host)
        let error = #expect(throws: RegistryError.self) {
            try RegistryClient(quickly { $0.credentials = store }).manifest(registry.name("a", ":v1"))
        }
        let text = "\(error.map { "\($0)" } ?? "")"
        #expect(text.contains("ECHO"))
        for secret in ["the-token", "secret", "dXNlcjpzZWNyZXQ="] { #expect(!text.contains(secret)) }
    }

    @Test(arguments: [
        (307, "Location: ftp://elsewhere/secret"), (200, "Content-Type: text/secret"),
        (307, "Location: ftp://elsewhere/dXNlcjpzZWNyZXQ%3D"),
    ])
    func noSecretIsShownThatAHeadRepeats(code: Int, line: String) throws {
        let registry = try FakeRegistry { request in
            request.value(of: "Authorization") == nil
                ? status(401, ["WWW-Authenticate: Basic realm=\"r\""]) : status(code, [line], length: 2) + "{}"
        }
        defer { registry.stop() }
        let store = try store(registry.host)
        let error = #expect(throws: RegistryError.self) {
            try RegistryClient(quickly { $0.credentials = store }).manifest(registry.name("a", ":v1"))
        }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains("…"))
        for secret in ["secret", "dXNlcjpzZWNyZXQ"] { #expect(!text.contains(secret)) }
    }

    @Test func theTokenServerIsNamedThatSpeaksNoTLS() throws {
        let server = try LoopbackServer { _ in ok("{}") }
        defer { server.stop() }
        let challenge = bearer("https://127.0.0.1:\(server.port)/token", "repository:a:pull")
        let registry = try FakeRegistry { _ in status(401, [challenge]) }
        defer { registry.stop() }
        let error = #expect(throws: RegistryError.self) {
            try RegistryClient(quickly()).manifest(registry.name("a", ":v1"))
        }
        #expect(error?.server == "127.0.0.1:\(server.port)")
        #expect(error.map { "\($0)".contains("127.0.0.1:\(server.port), where \(registry.host) leads") } == true)
    }

    @Test func theServerIsNamedThatABlobWasLedTo() throws {
        let other = try LoopbackServer { _ in ok("") }
        defer { other.stop() }
        let registry = try FakeRegistry { _ in status(307, ["Location: https://127.0.0.1:\(other.port)/blob"]) }
        defer { registry.stop() }
        let error = #expect(throws: RegistryError.self) {
            try RegistryClient(quickly()).fetch(
                registry.addBlob("content"),
                of: registry.name("a"),
                into: RecordingSink()
            )
        }
        #expect(error?.server == "127.0.0.1:\(other.port)")
        #expect(error.map { "\($0)".contains("leads, does not speak TLS") } == true)
        #expect(error.map { "\($0)".contains("--insecure-registry") } == false)
    }

    @Test func aRedirectTargetGetsNoCredentials() throws {
        let other = try LoopbackServer { request in
            request.value(of: "Authorization") == nil
                ? status(401, ["WWW-Authenticate: Basic realm=\"give me\""]) : ok("0123456789")
        }
        defer { other.stop() }
        let registry = try FakeRegistry { request in
            request.value(of: "Authorization") == Self.basic
                ? status(307, ["Location: \(other.url("/blob?signature=hidden"))"])
                : status(401, ["WWW-Authenticate: Basic realm=\"r\""])
        }
        defer { registry.stop() }
        let store = try store(registry.host)
        let blob = registry.addBlob("0123456789")
        let error = #expect(throws: RegistryError.self) {
            try RegistryClient(quickly { $0.credentials = store }).fetch(
                blob,
                of: registry.name("a"),
                into: RecordingSink()
            )
        }
        #expect(other.requests.count == 1)
        #expect(other.requests.allSatisfy { $0.value(of: "Authorization") == nil })
        #expect(error.map { "\($0)".contains("127.0.0.1:\(other.port)") && !"\($0)".contains("hidden") } == true)
    }

    @Test func aRedirectAwayAndBackGetsNoneEither() throws {
        let place = Mutex("")
        let other = try LoopbackServer { _ in status(307, ["Location: \(place.withLock { $0 })"]) }
        defer { other.stop() }
        let registry = try FakeRegistry { request in
            if request.path == "/back" { return ok("0123456789") }
            return request.value(of: "Authorization") == Self.basic
                ? status(307, ["Location: \(other.url("/"))"]) : status(401, ["WWW-Authenticate: Basic realm=\"r\""])
        }
        defer { registry.stop() }
        place.withLock { $0 = "http://\(registry.host)/back" }
        let store = try store(registry.host)
        let blob = registry.addBlob("0123456789")
        let sink = RecordingSink()
        try RegistryClient(quickly { $0.credentials = store }).fetch(blob, of: registry.name("a"), into: sink)
        #expect(sink.text == "0123456789")
        #expect(registry.requests.last?.path == "/back")
        #expect(registry.requests.last?.value(of: "Authorization") == nil)
    }

    @Test func aLoginIsTried() throws {
        let registry = try FakeRegistry { request in
            request.value(of: "Authorization") == Self.basic
                ? nil : refusal(401, "UNAUTHORIZED", "no", ["WWW-Authenticate: Basic realm=\"r\""])
        }
        defer { registry.stop() }
        let client = RegistryClient(quickly())
        try client.ping(registry.host, credentials: RegistryCredentials(user: "user", password: "secret"))
        let error = #expect(throws: RegistryError.self) {
            try client.ping(registry.host, credentials: RegistryCredentials(user: "user", password: "wrong"))
        }
        #expect(error?.reason == .unauthorized(hadCredentials: true, said: "UNAUTHORIZED: no"))
        #expect(registry.requests.allSatisfy { $0.path == "/v2/" })
    }

    @Test(arguments: [
        ("Basic realm=\"a b\"", ["basic realm=a b"]),
        (
            "Bearer realm=\"https://a/?x=1,2\" , service=b,scope=\"c d\"",
            ["bearer realm=https://a/?x=1,2 scope=c d service=b"]
        ),
        ("Negotiate, Basic realm=\"x\", Bearer realm=y", ["negotiate", "basic realm=x", "bearer realm=y"]),
        ("Negotiate dG9rZW4=, Basic realm=x", ["negotiate", "basic realm=x"]),
        ("Basic realm=\"quo\\\"te\"", ["basic realm=quo\"te"]),
        ("BEARER REALM=\"x\",realm=\"y\"", ["bearer realm=x"]),
        ("Basic realm=\"never ends", ["basic"]),
        (", ,Basic realm = \"x\"", ["basic realm=x"]),
        ("", []),
        ("=\"", []),
    ])
    func challengesAreRead(value: String, expected: [String]) {
        let challenges = AuthChallenge.parse(value).map { challenge in
            let parameters = challenge.parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            return ([challenge.scheme] + parameters).joined(separator: " ")
        }
        // What follows a text without an end is nothing.
        #expect(Array(challenges.prefix(expected.count)) == expected)
        #expect(challenges.count == expected.count || value.contains("never"))
    }
}
