import Glibc

/// A request of the protocol, before it is known who answers it.
struct RegistryRequest {
    var method = HTTPMethod.get
    var url: HTTPURL
    var fields: [HTTPField] = []
    var body: HTTPBody?
    /// The value of Authorization: for the origin of `url`, and nobody else.
    var authorization: String?
    /// Whether the server of `url` needs no certificate that counts.
    var isInsecure = false
    /// Whether `url` is not the registry's own: what is secret does not go there.
    var isElsewhere = false
    /// Whether the body is a secret of the origin of `url`.
    var hasSecretBody = false
    /// Leaves out of a text what is secret here: a server may repeat it in what it answers.
    var hiding: @Sendable (String) -> String = { $0 }
    /// Seconds in place of the configured ones.
    var connectSeconds: UInt32?
}

/// An answer of any status.
struct RegistryAnswer {
    var head: HTTPHead
    var body: [UInt8]
    /// Who gave it, after all redirects.
    var url: HTTPURL
    /// Whether a redirect led away from the server that was asked.
    var isFromElsewhere: Bool
}

/// What all requests to all servers share: connections, trust, patience.
final class RegistryNetwork: Sendable {
    static let mostRedirects = 10

    let trust: TrustStore
    let isCancelled: @Sendable () -> Bool
    private let sessions = HTTPSessions()
    private let limits: DownloadLimits
    private let retries: RetryPolicy

    init(_ configuration: RegistryConfiguration, isCancelled: @escaping @Sendable () -> Bool) {
        trust = TrustStore(configuration)
        limits = configuration.limits
        retries = configuration.retries
        self.isCancelled = isCancelled
    }

    /// Makes a request and follows its redirects: never with credentials to another origin, never from TLS to none.
    func follow(
        _ request: RegistryRequest,
        into body: AnswerBody,
        onProgress: (Int64) -> Void = { _ in }
    ) throws(RegistryFailure) -> RegistryAnswer {
        var url = request.url
        var isElsewhere = request.isElsewhere
        for _ in 0...Self.mostRedirects {
            let head = try perform(request, at: url, isElsewhere: isElsewhere, into: body, onProgress)
            guard Self.isRedirect(head.status, of: request.method), let location = head.value(of: "Location") else {
                return RegistryAnswer(head: head, body: body.bytes, url: url, isFromElsewhere: isElsewhere)
            }
            guard let next = url.resolving(location), next.origin.isSecure || !url.origin.isSecure else {
                throw RegistryFailure(.refusedRedirect(to: RegistrySaying.shown(request.hiding(redacted(location)))))
            }
            // A body cannot be left behind, as Authorization is.
            if request.hasSecretBody, next.origin != request.url.origin {
                return RegistryAnswer(head: head, body: body.bytes, url: url, isFromElsewhere: isElsewhere)
            }
            // Once away, always away: who redirects back here has not earned what is secret here.
            if next.origin != request.url.origin { isElsewhere = true }
            url = next
        }
        throw RegistryFailure(.tooManyRedirects(limit: Self.mostRedirects))
    }

    private func perform(
        _ request: RegistryRequest,
        at url: HTTPURL,
        isElsewhere: Bool,
        into body: AnswerBody,
        _ onProgress: (Int64) -> Void
    ) throws(RegistryFailure) -> HTTPHead {
        if isCancelled() { throw RegistryFailure(.cancelled) }
        body.begin()
        var http = HTTPRequest(url: url.text, fields: request.fields + body.resumption, isCancelled: isCancelled)
        http.method = request.method
        http.body = request.body
        http.limits = limits
        http.limits.maximumRedirects = 0
        if let seconds = request.connectSeconds { http.limits.connectSeconds = min(seconds, limits.connectSeconds) }
        // A registry is silent while it stores and checks what it was sent.
        if request.body != nil { http.limits.slowSeconds = limits.slowSeconds.multipliedReportingOverflow(by: 10).0 }
        if !isElsewhere, let authorization = request.authorization {
            http.fields.append(HTTPField(name: "Authorization", value: authorization))
        }
        http.trust = try trust.trust(for: url.origin, isInsecure: !isElsewhere && request.isInsecure)
        http.ignoresProxies = url.origin.isLoopback
        let head: HTTPHead
        do throws(DownloadError) {
            head = try sessions.perform(http, into: body, onProgress: onProgress)
        } catch {
            var failure = body.stop ?? RegistryFailure(error)
            if isElsewhere { failure.server = url.origin.authority }
            throw failure
        }
        if let stop = body.stop { throw stop }
        return head
    }

    /// Source: RFC 9110, section 15.4: only 307 and 308 keep a method that changes something.
    private static func isRedirect(_ status: Int, of method: HTTPMethod) -> Bool {
        switch status {
        case 307, 308: true
        case 301, 302, 303: method == .get || method == .head
        default: false
        }
    }

    /// Makes attempts until one succeeds, or fails for good, or patience ends.
    func retrying<Result>(
        progress: () -> Int64 = { 0 },
        _ attempt: () throws(RegistryFailure) -> Result
    ) throws(RegistryFailure) -> Result {
        var failures = 0
        for connection in 1... {
            let before = progress()
            do throws(RegistryFailure) {
                return try attempt()
            } catch {
                failures = progress() > before ? 1 : failures + 1
                guard error.mayPass, connection < retries.maximumConnections,
                    let wait = retries.wait(failures: failures, retryAfter: error.retryAfter)
                else { throw error }
                // Clients that failed together shall not come back together.
                try pause(wait + Int64.random(in: 0...(wait / 2)))
            }
        }
        throw RegistryFailure(.interrupted("it was tried too often"))
    }

    /// Waits, in pieces, so that a cancellation is seen.
    private func pause(_ milliseconds: Int64) throws(RegistryFailure) {
        var rest = milliseconds
        while rest > 0 {
            if isCancelled() { throw RegistryFailure(.cancelled) }
            let piece = min(rest, 100)
            var time = timespec(tv_sec: 0, tv_nsec: Int(piece) * 1_000_000)
            nanosleep(&time, nil)
            rest -= piece
        }
    }
}
