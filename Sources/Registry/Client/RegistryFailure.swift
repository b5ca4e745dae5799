/// Why one request to one server failed, and whether it may succeed a little later.
struct RegistryFailure: Error {
    var reason: RegistryError.Reason
    var mayPass = false
    /// The seconds that the server asks to wait for.
    var retryAfter: Int64 = 0
    /// The server that it happened with, where that is not the registry: one that it leads to.
    var server: String?

    init(_ reason: RegistryError.Reason, mayPass: Bool = false, retryAfter: Int64 = 0) {
        self.reason = reason
        self.mayPass = mayPass
        self.retryAfter = retryAfter
    }

    /// Whether a server has answered, and the answer, which is not about the moment, is what is wrong.
    var isAnswer: Bool {
        switch reason {
        case .status(let status, _): !Self.passingStatuses.contains(status)
        case .notFound, .wrongDigest, .malformed: true
        default: false
        }
    }

    /// Statuses that are about the moment, not about the request.
    static let passingStatuses: Set<Int> = [408, 429, 500, 502, 503, 504]

    /// What an exchange without an answer means.
    init(_ error: DownloadError) {
        switch error {
        case .missingLibrary(let why): self.init(.missingLibrary(why))
        case .untrusted(_, let why): self.init(.untrusted(why))
        case .badClientCertificate(_, let why): self.init(.clientCertificate(why))
        case .noTLS(_, let why): self.init(Self.isAboutClientCertificate(why) ? .clientCertificate(why) : .noTLS(why))
        case .unknownHost(_, let why), .notConnected(_, let why): self.init(.unreachable(why))
        case .failed(_, let why): self.init(.malformed(why))
        case .interrupted(_, let why):
            // With TLS 1.3, a server refuses a client only after the handshake.
            if Self.isAboutClientCertificate(why) {
                self.init(.clientCertificate(why))
            } else {
                self.init(.interrupted(why), mayPass: true)
            }
        case .stalled(_, let why): self.init(.stalled(why), mayPass: true)
        case .tooLarge(_, let limit): self.init(.tooLarge(limit: limit))
        case .unreadable(_, let errno): self.init(.unreadable(errno: errno))
        case .cancelled: self.init(.cancelled)
        case .unsupportedURL(let url): self.init(.malformed("`\(url)` is no URL"))
        case .refusedRedirect(let url, _): self.init(.refusedRedirect(to: url))
        case .status(let status, _): self.init(.status(Int(status), said: ""))
        case .tooManyRedirects(_, let limit): self.init(.tooManyRedirects(limit: Int(limit)))
        case .unwritable(_, let errno): self.init(.unreadable(errno: errno))
        }
    }

    private static func isAboutClientCertificate(_ why: String) -> Bool {
        why.contains("certificate required") || why.contains("bad certificate") || why.contains("unknown ca")
    }
}
