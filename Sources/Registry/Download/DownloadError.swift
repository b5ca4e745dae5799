/// Why a file was not downloaded.
///
/// Every URL in it is without credentials.
public enum DownloadError: Error, Sendable, Hashable {
    /// The text is no `http://` or `https://` URL.
    case unsupportedURL(String)
    /// libcurl is not installed, or cannot be loaded.
    case missingLibrary(reason: String)
    /// The server answered with a status that is no success.
    case status(UInt, url: String)
    /// The server sent the client from place to place.
    case tooManyRedirects(url: String, limit: UInt32)
    /// The server sent the client to where it may not go: from TLS to a connection without it, or away from HTTP.
    case refusedRedirect(url: String, reason: String)
    /// The file is larger than it may be.
    case tooLarge(url: String, limit: Int64)
    /// Nothing was heard for too long.
    case stalled(url: String, reason: String)
    /// The connection broke in the middle.
    case interrupted(url: String, reason: String)
    /// Nobody listens there, or it cannot be reached.
    case notConnected(url: String, reason: String)
    /// The server does not speak TLS as this side does, or at all.
    case noTLS(url: String, reason: String)
    /// This side's own certificate, or its key, cannot be used.
    case badClientCertificate(url: String, reason: String)
    /// The server's certificate is not trusted.
    case untrusted(url: String, reason: String)
    /// The host's name, or the proxy's, is unknown.
    case unknownHost(url: String, reason: String)
    /// The transfer failed for another reason.
    case failed(url: String, reason: String)
    /// What arrived could not be written to the file.
    case unwritable(url: String, errno: CInt)
    /// What was to be sent could not be read from its file.
    case unreadable(url: String, errno: CInt)
    /// The task was cancelled.
    case cancelled(url: String)
}

extension DownloadError: CustomStringConvertible {
    /// Says what failed, why, and what can be done.
    public var description: String {
        switch self {
        case .unsupportedURL(let url):
            "`\(url)` cannot be downloaded: expected a URL that begins with http:// or https://"
        case .missingLibrary(let reason):
            "downloads need libcurl, which cannot be loaded (\(reason)); install Debian's libcurl4 or its like"
        case .status(let status, let url):
            "cannot download \(url): the server answered \(status)\(Self.meaning(of: status))"
        case .tooManyRedirects(let url, let limit):
            "cannot download \(url): redirected more than \(limit) times"
        case .refusedRedirect(let url, let reason):
            "cannot download \(url): it is redirected, and not to https:// (\(reason)); name the other URL itself"
        case .tooLarge(let url, let limit):
            "cannot download \(url): it is larger than the limit of \(limit) bytes"
        case .stalled(let url, let reason):
            "cannot download \(url): the server is too slow (\(reason))"
        case .interrupted(let url, let reason):
            "cannot download \(url): the connection broke (\(reason)); try again later"
        case .untrusted(let url, let reason):
            "cannot download \(url): the server's certificate is not trusted (\(reason)); "
                + "name your own authority's certificate in SSL_CERT_FILE if that is what signed it"
        case .unknownHost(let url, let reason):
            "cannot download \(url): \(reason); check the name and the network"
        case .failed(let url, let reason), .notConnected(let url, let reason), .noTLS(let url, let reason),
            .badClientCertificate(let url, let reason):
            "cannot download \(url): \(reason)"
        case .unwritable(let url, let errno):
            "cannot write what was downloaded from \(url): \(errorText(errno))"
        case .unreadable(let url, let errno):
            "cannot read what is to be sent to \(url): \(errorText(errno))"
        case .cancelled(let url):
            "the download of \(url) was cancelled"
        }
    }

    /// Whether the same request may succeed a little later.
    var mayPass: Bool {
        switch self {
        case .interrupted, .stalled: true
        case .unsupportedURL, .missingLibrary, .status, .tooManyRedirects, .refusedRedirect, .tooLarge, .untrusted,
            .unknownHost, .failed, .unwritable, .cancelled, .notConnected, .noTLS, .badClientCertificate, .unreadable:
            false
        }
    }

    private static func meaning(of status: UInt) -> String {
        switch status {
        case 401: " (unauthorized: credentials are missing or wrong)"
        case 403: " (forbidden)"
        case 404: " (not found)"
        case 410: " (gone)"
        case 429: " (too many requests: try again later)"
        case 500...599: " (the server's own fault: try again later)"
        default: ""
        }
    }
}
