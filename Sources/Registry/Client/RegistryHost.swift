import OCI
import Synchronization

/// What is asked of a registry, before credentials.
struct RegistryCall {
    enum Target {
        case path(String)
        /// Where the registry itself said to go on.
        case url(HTTPURL)
    }

    var method = HTTPMethod.get
    var target: Target
    var fields: [HTTPField] = []
    var body: HTTPBody?
    /// The repository that it's about: credentials can differ from one to the next.
    var repository = ""
    /// What a token has to allow.
    var scopes: [TokenScope] = []
}

/// A server that speaks the distribution protocol, and what it said of itself: scheme, kind of credentials, tokens.
final class RegistryHost: Sendable {
    /// Which server it is.
    struct Place: Hashable {
        /// As references and credential files name it: `docker.io`.
        var name: String
        /// Plain HTTP is fine where there is no TLS.
        var isInsecure: Bool

        /// Where it listens: Docker's registry has another name than its images.
        var address: String { name == "docker.io" ? "registry-1.docker.io" : name }
    }

    let place: Place
    let network: RegistryNetwork
    let authorizer: RegistryAuthorizer
    private let known = Mutex<HTTPOrigin?>(nil)

    init(_ place: Place, network: RegistryNetwork, credentials: @escaping RegistryAuthorizer.Lookup) {
        self.place = place
        self.network = network
        let ownHost = HTTPURL("https://\(place.address)")?.origin.host
        authorizer = RegistryAuthorizer(
            network: network,
            insecureHost: place.isInsecure ? ownHost : nil,
            credentials: credentials
        )
    }

    /// Makes a call, with what credentials it takes, until it's answered or has failed for good.
    func answer(
        _ call: RegistryCall,
        into body: AnswerBody = AnswerBody(limit: AnswerBody.largestError),
        onProgress: (Int64) -> Void = { _ in }
    ) throws(RegistryFailure) -> RegistryAnswer {
        try network.retrying(progress: { body.progress }) { () throws(RegistryFailure) in
            try attempt(call, into: body, onProgress: onProgress)
        }
    }

    /// Makes a call once; an answer whose status tells of a passing trouble is a failure.
    func attempt(
        _ call: RegistryCall,
        into body: AnswerBody = AnswerBody(limit: AnswerBody.largestError),
        onProgress: (Int64) -> Void = { _ in }
    ) throws(RegistryFailure) -> RegistryAnswer {
        let answer = try authorized(call, into: body, onProgress)
        if answer.head.isSuccess, let failure = body.finish(answer.head) { throw failure }
        guard !RegistryFailure.passingStatuses.contains(answer.head.status) else {
            throw RegistryFailure(
                .status(answer.head.status, said: said(answer)),
                mayPass: true,
                retryAfter: answer.head.retryAfter
            )
        }
        return answer
    }

    /// What a registry says of an error, without anything that was secret in the request.
    func said(_ answer: RegistryAnswer) -> String {
        RegistrySaying.text(of: answer.body, hiding: authorizer.redacting)
    }

    /// What an answer means that is no success.
    func refusal(_ answer: RegistryAnswer, repository: String) -> RegistryFailure {
        let said = said(answer)
        let status = answer.head.status
        if answer.isFromElsewhere, status == 401 || status == 403 {
            let elsewhere = answer.url.origin.authority
            return RegistryFailure(
                .status(status, said: "from \(elsewhere), where it leads and credentials are not sent")
            )
        }
        let hadCredentials = authorizer.hasCredentials(for: repository)
        switch status {
        case 401: return RegistryFailure(.unauthorized(hadCredentials: hadCredentials, said: said))
        case 403: return RegistryFailure(.denied(hadCredentials: hadCredentials, said: said))
        case 404: return RegistryFailure(.notFound(said: said))
        default: return RegistryFailure(.status(status, said: said))
        }
    }

    private func authorized(
        _ call: RegistryCall,
        into body: AnswerBody,
        _ onProgress: (Int64) -> Void
    ) throws(RegistryFailure) -> RegistryAnswer {
        var authorization = try authorizer.authorization(for: call)
        while true {
            let answer = try located(call, authorization?.value, into: body, onProgress)
            guard answer.head.status == 401, !answer.isFromElsewhere else { return answer }
            // What was made for this very call and is refused will be refused again.
            guard authorization?.isFresh != true,
                let better = try authorizer.authorization(for: call, after: answer, refused: authorization)
            else { return answer }
            authorization = better
        }
    }

    /// Finds out whether the registry speaks TLS, where it may not, and remembers it.
    private func located(
        _ call: RegistryCall,
        _ authorization: String?,
        into body: AnswerBody,
        _ onProgress: (Int64) -> Void
    ) throws(RegistryFailure) -> RegistryAnswer {
        if let request = known.withLock({ $0 }).flatMap({ request(call, authorization, at: $0) }) {
            return try network.follow(request, into: body, onProgress: onProgress)
        }
        guard let secure = HTTPURL("https://\(place.address)"), let plain = HTTPURL("http://\(place.address)"),
            var request = request(call, authorization, at: secure.origin)
        else { throw RegistryFailure(.malformed("`\(place.address)` is no host")) }
        let mayBePlain = place.isInsecure || secure.origin.isLoopback
        // On this machine a handshake takes no time, but what does not speak TLS may wait for more of it.
        if secure.origin.isLoopback { request.connectSeconds = 5 }
        do throws(RegistryFailure) {
            let answer = try network.follow(request, into: body, onProgress: onProgress)
            known.withLock { $0 = secure.origin }
            return answer
        } catch {
            guard mayBePlain, Self.speaksNoTLS(error), error.server == nil, body.stop == nil else { throw error }
            let before = body.progress
            do throws(RegistryFailure) {
                guard let answer = try plainly(call, at: plain.origin, into: body, onProgress) else { throw error }
                return answer
            } catch let failure {
                // Who sent something without TLS, or led elsewhere, does speak without: what went wrong with that counts.
                guard body.progress > before || failure.server != nil || !Self.speaksNoTLS(failure) else { throw error }
                known.withLock { $0 = plain.origin }
                throw failure
            }
        }
    }

    /// Asks without TLS, and without anything secret: a server that needs both asks for the second.
    private func plainly(
        _ call: RegistryCall,
        at origin: HTTPOrigin,
        into body: AnswerBody,
        _ onProgress: (Int64) -> Void
    ) throws(RegistryFailure) -> RegistryAnswer? {
        guard let request = request(call, nil, at: origin) else { return nil }
        let answer = try network.follow(request, into: body, onProgress: onProgress)
        // So do servers with TLS answer those who speak without; their words say what they want.
        let words = String(decoding: answer.body.prefix(4096), as: UTF8.self)
        guard answer.head.status != 400 || !words.contains("HTTPS") else { return nil }
        known.withLock { $0 = origin }
        return answer
    }

    private static func speaksNoTLS(_ failure: RegistryFailure) -> Bool {
        switch failure.reason {
        case .noTLS, .unreachable, .interrupted, .stalled: true
        default: false
        }
    }

    private func request(_ call: RegistryCall, _ authorization: String?, at origin: HTTPOrigin) -> RegistryRequest? {
        let scheme = origin.isSecure ? "https" : "http"
        var url: HTTPURL?
        switch call.target {
        case .path(let path): url = HTTPURL("\(scheme)://\(origin.authority)\(path)")
        case .url(let there): url = there
        }
        return url.map { url in
            RegistryRequest(
                method: call.method,
                url: url,
                fields: call.fields,
                body: call.body,
                authorization: authorization,
                isInsecure: place.isInsecure,
                isElsewhere: url.origin != origin,
                hiding: authorizer.redacting
            )
        }
    }
}
