/// A field of a request's or a response's head.
public struct HTTPField: Sendable, Hashable {
    /// The name, as written.
    public var name: String
    /// The value, without the space around it.
    public var value: String

    /// A field of these parts.
    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }

    /// Whether the field can stand in a head without ending its line or the head.
    var isSafe: Bool {
        !name.isEmpty && "\(name)\(value)".utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
    }
}

/// A request over HTTP: one to get what a URL names, unless told otherwise.
public struct HTTPRequest: Sendable {
    /// An `http://` or `https://` URL; a user and password in it go to its own host only.
    public var url: String
    /// What to do with what the URL names.
    var method = HTTPMethod.get
    /// What is sent along.
    var body: HTTPBody?
    /// Whom to trust, and what to show of oneself.
    var trust = TLSTrust()
    /// The proxies of the environment are not for this request.
    var ignoresProxies = false
    /// Further fields of the head; one that would break out of its line is left out.
    public var fields: [HTTPField]
    /// What the exchange may cost.
    public var limits: DownloadLimits
    /// Asked at least once a second: the exchange ends when it says so.
    public var isCancelled: @Sendable () -> Bool

    /// A request for `url` that ends early when its task is cancelled, unless told otherwise.
    public init(
        url: String,
        fields: [HTTPField] = [],
        limits: DownloadLimits = DownloadLimits(),
        isCancelled: @escaping @Sendable () -> Bool = { Task.isCancelled }
    ) {
        self.url = url
        self.fields = fields
        self.limits = limits
        self.isCancelled = isCancelled
    }
}

/// What a request asks for.
enum HTTPMethod: String, Sendable, Hashable {
    case get = "GET"
    case head = "HEAD"
    case put = "PUT"
    case post = "POST"
    case patch = "PATCH"
    case delete = "DELETE"
}

/// What a request sends along.
enum HTTPBody: Sendable {
    case bytes([UInt8])
    /// A part of an open file, read by position.
    case file(CInt, offset: Int64, size: Int64)
}

/// Which servers are trusted, and what is shown to them.
struct TLSTrust: Sendable, Hashable {
    /// A file of certificates to trust in place of the system's.
    var authorities: String?
    /// A file with this side's certificate.
    var clientCertificate: String?
    /// A file with the key to it.
    var clientKey: String?
    /// Takes any certificate.
    var isUnverified = false
}

/// The head of a response: what the last server of all redirects said.
public struct HTTPHead: Sendable, Hashable {
    /// The status: 200 for success.
    public var status = 0
    /// The fields in the order in which they came.
    public var fields: [HTTPField] = []
    /// The seconds that the server asks to wait for before the next request.
    public var retryAfter: Int64 = 0
    /// When the file was last modified, in seconds since 1970.
    public var lastModified: Int64?

    /// Whether the status tells of success.
    public var isSuccess: Bool { (200..<300).contains(status) }

    /// The value of the first field of that name, whatever the case of its letters.
    public func value(of name: String) -> String? {
        let wanted = name.lowercased()
        return fields.first { $0.name.lowercased() == wanted }?.value
    }
}

/// Takes a response's body, piece by piece.
public protocol HTTPBodySink: AnyObject {
    /// Takes a piece of the body of the response with this head; `false` ends the exchange.
    func receive(_ bytes: UnsafeRawBufferPointer, of head: HTTPHead) -> Bool
}
