import OCI

/// Why a registry did not do what it was asked for.
///
/// No part of it holds credentials, tokens, or the query of a URL. It describes itself in one sentence, with what can
/// be done; what differs from case to case is the ``reason``.
public struct RegistryError: Error, Sendable, Hashable {
    /// The reason, with its facts.
    ///
    /// Texts of a registry or token server are cut and escaped.
    public enum Reason: Error, Sendable, Hashable {
        /// libcurl is not installed, or cannot be loaded.
        case missingLibrary(String)
        /// registries.conf forbids the registry.
        case blocked
        /// A file of the configuration cannot be used.
        case configuration(RegistryConfigurationError)
        /// Credentials cannot be read.
        case credentials(CredentialError)
        /// The registry, or its token server, wants credentials, or others (401).
        case unauthorized(hadCredentials: Bool, said: String)
        /// The credentials do not allow it (403).
        case denied(hadCredentials: Bool, said: String)
        /// There is no such thing (404).
        case notFound(said: String)
        /// Another status that is no success.
        case status(Int, said: String)
        /// The token server gave no token.
        case noToken(server: String, why: String)
        /// The registry sent the client from place to place.
        case tooManyRedirects(limit: Int)
        /// The registry sent the client to where it may not go.
        case refusedRedirect(to: String)
        /// The server does not speak TLS as this side does, or at all.
        case noTLS(String)
        /// The server's certificate is not trusted.
        case untrusted(String)
        /// The server wants a certificate of this side, or another.
        case clientCertificate(String)
        /// There is no connection to the server.
        case unreachable(String)
        /// The connection broke, again and again.
        case interrupted(String)
        /// Nothing was heard, or next to nothing, for too long.
        case stalled(String)
        /// What the registry sends is larger than it may be.
        case tooLarge(limit: Int64)
        /// The bytes are not those that were asked for.
        case wrongDigest(expected: Digest, actual: Digest)
        /// There are more or fewer bytes than the descriptor says.
        case wrongSize(expected: Int64, actual: Int64)
        /// What came is neither an image manifest nor an index.
        case wrongMediaType(String)
        /// An answer that the protocol does not know.
        case malformed(String)
        /// The file that is to be pushed cannot be read, or is shorter than said.
        case unreadable(errno: CInt)
        /// The sink of a blob took no more; it knows why.
        case stoppedBySink
        /// The caller wanted no more.
        case cancelled
    }

    /// The reason.
    public var reason: Reason
    /// The registry, as a reference names it.
    public var registry: String
    /// The server that it happened with, where the registry led to another: a token server, or one that has its blobs.
    public var server: String?
    /// What was asked of it, to be read after `cannot`: `pull docker.io/library/busybox:latest`.
    public var action: String
    /// What the mirrors said that were asked before, a sentence each.
    public var mirrors: [String] = []

    init(_ reason: Reason, registry: String, action: String) {
        self.reason = reason
        self.registry = registry
        self.action = action
    }

    init(_ failure: RegistryFailure, registry: String, action: String) {
        self.init(failure.reason, registry: registry, action: action)
        server = failure.server
    }
}

extension RegistryError: CustomStringConvertible {
    /// One sentence: what could not be done, why, and what to do.
    public var description: String {
        let text =
            switch reason {
            case .cancelled: "cancelled: \(action)"
            default: "cannot \(action): \(explanation)"
            }
        return mirrors.isEmpty ? text : "\(text) (mirrors were asked before: \(mirrors.joined(separator: "; ")))"
    }

    /// Why, and what to do.
    var explanation: String {
        switch reason {
        case .unauthorized, .denied, .notFound, .status, .noToken: refusal
        case .noTLS, .untrusted, .clientCertificate, .unreachable, .interrupted, .stalled, .missingLibrary:
            connectionFailure
        case .blocked: "registries.conf blocks it"
        case .configuration(let error): error.description
        case .credentials(let error): error.description
        case .tooManyRedirects(let limit): "\(registry) redirects more than \(limit) times"
        case .refusedRedirect(let url): "\(registry) leads to \(url), which is not https://; nothing was sent there"
        case .tooLarge(let limit): "it is larger than the limit of \(limit) bytes"
        case .wrongDigest(let expected, let actual): "\(registry) sent \(actual) in place of \(expected)"
        case .wrongSize(let expected, let actual): "\(registry) sent \(actual) bytes where \(expected) were announced"
        case .wrongMediaType(let type): "\(registry) sent \(type), which is neither an image manifest nor an index"
        case .malformed(let what) where server != nil: "\(place) does not answer as it should: \(what)"
        case .malformed(let what): "\(registry) does not answer as a registry does: \(what)"
        case .unreadable(let errno): "the blob's file cannot be read: \(errorText(errno))"
        case .stoppedBySink: "what arrived was refused"
        case .cancelled: "it was cancelled"
        }
    }

    private var refusal: String {
        switch reason {
        case .unauthorized(let had, let said):
            (had
                ? "\(registry) does not accept the credentials"
                : "\(registry) asks for credentials, or has no such name")
                + Self.quoted(said) + "; log in with: swbuild login \(registry)"
        case .denied(let had, let said):
            "\(registry) denies access" + Self.quoted(said)
                + (had ? "; check what your user may do, or log in as another with: " : "; log in with: ")
                + "swbuild login \(registry)"
        case .notFound(let said): "\(registry) does not have it" + Self.quoted(said)
        case .status(429, let said): "\(registry) has had too many requests" + Self.quoted(said) + "; try again later"
        case .status(let status, let said):
            "\(registry) answered \(status)" + Self.quoted(said)
                + (status >= 500 ? "; the fault is the registry's: try again later" : "")
        case .noToken(let server, let why): "the token server \(server) gave no token: \(why)"
        default: ""
        }
    }

    /// Whose connection it is that failed, for people.
    private var place: String { server.map { "\($0), where \(registry) leads," } ?? registry }

    private var connectionFailure: String {
        let host = server ?? registry
        return switch reason {
        case .missingLibrary(let why):
            "registries need libcurl, which cannot be loaded (\(why)); install Debian's libcurl4 or its like"
        case .noTLS(let why) where server != nil:
            "\(place) does not speak TLS (\(why)), but \(registry) names it with https://; that is for whoever runs "
                + "\(registry) to mend"
        case .noTLS(let why):
            "\(place) does not speak TLS (\(why)); if it is meant to be without, use --insecure-registry \(host)"
        case .untrusted(let why):
            "the certificate of \(place) is not trusted (\(why)); put the certificate of its authority into "
                + "/etc/containers/certs.d/\(host)/ca.crt, or use --insecure-registry \(host)"
        case .clientCertificate(let why):
            "\(place) does not accept the client certificate, or wants one (\(why)); put it into "
                + "/etc/containers/certs.d/\(host)/ as client.cert with its client.key"
        case .unreachable(let why): "\(place) cannot be reached: \(why)"
        case .interrupted(let why): "the connection to \(place) broke (\(why)); try again later"
        case .stalled(let why): "\(place) is too slow (\(why))"
        default: ""
        }
    }

    private static func quoted(_ said: String) -> String { said.isEmpty ? "" : " (\(said))" }
}
