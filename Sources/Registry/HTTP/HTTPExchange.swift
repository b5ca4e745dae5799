import CShims
import Glibc

/// One exchange over HTTP through libcurl.
public enum HTTPClient {
    /// Makes a request, hands the body of its response to `sink`, and returns when the exchange is over.
    ///
    /// It blocks its thread. Redirects are followed, to HTTP only, and from HTTPS to HTTPS only; certificates are checked against those of
    /// `SSL_CERT_FILE` (or `CURL_CA_BUNDLE`) and `SSL_CERT_DIR`, or else the system's. Any status is an answer; a `sink` that
    /// has enough ends the exchange without an error.
    /// - Throws: ``DownloadError`` where there is no complete answer.
    public static func get(_ request: HTTPRequest, into sink: any HTTPBodySink) throws(DownloadError) -> HTTPHead {
        try perform(request, in: nil, into: sink)
    }

    /// Makes any request, over a connection of the session's where it has one.
    static func perform(
        _ request: HTTPRequest,
        in session: HTTPSession?,
        into sink: any HTTPBodySink,
        onProgress: (Int64) -> Void = { _ in }
    ) throws(DownloadError) -> HTTPHead {
        guard isHTTP(request.url), !request.url.utf8.contains(0) else { throw .unsupportedURL(redacted(request.url)) }
        // The exchange is over when this returns: nothing is called later.
        return try withoutActuallyEscaping(onProgress) { onProgress throws(DownloadError) in
            try HTTPExchange(request, sink, onProgress).run(in: session)
        }
    }

    private static func isHTTP(_ url: String) -> Bool {
        let start = url.prefix(8).lowercased()
        return start.hasPrefix("http://") || start.hasPrefix("https://")
    }
}

/// An exchange's state, a class because libcurl's callbacks reach it through a pointer.
private final class HTTPExchange {
    private enum Stop {
        case cancelled
        case enough
    }

    private let request: HTTPRequest
    private let sink: any HTTPBodySink
    private let onProgress: (Int64) -> Void
    private var sent: Int64 = 0
    private var head = HTTPHead()
    private var headSize = 0
    private var stop: Stop?
    /// More than any honest server sends.
    private static let largestHead = 256 << 10

    init(_ request: HTTPRequest, _ sink: any HTTPBodySink, _ onProgress: @escaping (Int64) -> Void) {
        self.request = request
        self.sink = sink
        self.onProgress = onProgress
    }

    func run(in session: HTTPSession?) throws(DownloadError) -> HTTPHead {
        let result = perform(in: session)
        head.status = max(0, result.status)
        head.retryAfter = max(0, result.retry_after)
        head.lastModified = result.last_modified < 0 ? nil : result.last_modified
        switch stop {
        case .cancelled: throw .cancelled(url: redacted(request.url))
        case .enough: return head
        case nil: break
        }
        if let error = failure(result, url: redacted(request.url)) { throw error }
        return head
    }

    private func failure(_ result: swb_http_result, url: String) -> DownloadError? {
        if result.read_error != 0 { return .unreadable(url: url, errno: result.read_error) }
        // A proxy's refusal is no broken connection, whatever libcurl calls it.
        if result.code != CInt(SWB_HTTP_OK), result.proxy_status >= 300 {
            return .failed(url: url, reason: "the proxy refuses the connection with status \(result.proxy_status)")
        }
        return switch result.code {
        case CInt(SWB_HTTP_OK): nil
        case CInt(SWB_HTTP_NO_LIBRARY): .missingLibrary(reason: result.text)
        case CInt(SWB_HTTP_UNSUPPORTED_PROTOCOL) where (300..<400).contains(result.status):
            .refusedRedirect(url: url, reason: result.text)
        case CInt(SWB_HTTP_TOO_MANY_REDIRECTS): .tooManyRedirects(url: url, limit: request.limits.maximumRedirects)
        case CInt(SWB_HTTP_TOO_LARGE): .tooLarge(url: url, limit: request.limits.maximumSize)
        case CInt(SWB_HTTP_TIMED_OUT): .stalled(url: url, reason: result.text)
        case CInt(SWB_HTTP_NOT_CONNECTED): .notConnected(url: url, reason: result.text)
        case CInt(SWB_HTTP_TLS_FAILED): .noTLS(url: url, reason: result.text)
        case CInt(SWB_HTTP_BAD_CLIENT_CERTIFICATE): .badClientCertificate(url: url, reason: result.text)
        case CInt(SWB_HTTP_UNTRUSTED), CInt(SWB_HTTP_BAD_AUTHORITIES): .untrusted(url: url, reason: result.text)
        case CInt(SWB_HTTP_UNKNOWN_HOST), CInt(SWB_HTTP_UNKNOWN_PROXY): .unknownHost(url: url, reason: result.text)
        case CInt(SWB_HTTP_PARTIAL_FILE), CInt(SWB_HTTP_GOT_NOTHING), CInt(SWB_HTTP_SEND_ERROR),
            CInt(SWB_HTTP_RECEIVE_ERROR), CInt(SWB_HTTP_HTTP2), CInt(SWB_HTTP_HTTP2_STREAM):
            .interrupted(url: url, reason: result.text)
        default: .failed(url: url, reason: result.text)
        }
    }

    /// A variable of the environment; an empty one is as good as none.
    private static func variable(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }

    private func perform(in session: HTTPSession?) -> swb_http_result {
        var result = swb_http_result()
        let lines = request.fields.filter(\.isSafe).map { "\($0.name): \($0.value)" }
        withCStrings(lines) { lines in
            withCStrings(texts) { texts in
                withBody { body in
                    guard var request = lowered(lines, texts, body) else { return }
                    withExtendedLifetime((self, session)) { swb_http_perform(session?.pointer, &request, &result) }
                }
            }
        }
        return result
    }

    /// What the lowered request points to, in the order in which it takes them.
    private var texts: [String?] {
        [
            request.url, request.method == .get ? nil : request.method.rawValue,
            request.trust.authorities ?? Self.variable("SSL_CERT_FILE") ?? Self.variable("CURL_CA_BUNDLE"),
            Self.variable("SSL_CERT_DIR"), request.trust.clientCertificate, request.trust.clientKey, proxy,
        ]
    }

    /// libcurl knows `HTTP_PROXY` in lower case only, where all other tools that speak to registries know both.
    private var proxy: String? {
        guard request.url.lowercased().hasPrefix("http:"), Self.variable("http_proxy") == nil else { return nil }
        return Self.variable("HTTP_PROXY")
    }

    private func lowered(
        _ lines: UnsafeBufferPointer<UnsafePointer<CChar>?>,
        _ texts: UnsafeBufferPointer<UnsafePointer<CChar>?>,
        _ body: UnsafePointer<swb_http_body>?
    ) -> swb_http_request? {
        guard let url = texts[0] else { return nil }
        let limits = request.limits
        return swb_http_request(
            url: url,
            method: texts[1],
            body: body,
            headers: lines.baseAddress,
            header_count: UInt32(lines.count),
            certificates: texts[2],
            certificate_directory: texts[3],
            client_certificate: texts[4],
            client_key: texts[5],
            is_unverified: request.trust.isUnverified ? 1 : 0,
            proxy: texts[6],
            ignores_proxies: request.ignoresProxies ? 1 : 0,
            maximum_redirects: limits.maximumRedirects,
            connect_seconds: limits.connectSeconds,
            slow_bytes_per_second: limits.slowBytesPerSecond,
            slow_seconds: limits.slowSeconds,
            maximum_size: limits.maximumSize,
            context: Unmanaged.passUnretained(self).toOpaque(),
            on_header: { HTTPExchange.at($0).takeHeader(UnsafeBufferPointer(start: $1, count: $2)) },
            on_body: { HTTPExchange.at($0).takeBody(status: $1, UnsafeRawBufferPointer(start: $2, count: $3)) },
            on_tick: { HTTPExchange.at($0).tick(sent: $1) }
        )
    }

    private func withBody(_ action: (UnsafePointer<swb_http_body>?) -> Void) {
        switch request.body {
        case nil: action(nil)
        case .bytes(let bytes):
            // An empty array may have no address, and null would mean a file.
            (bytes.isEmpty ? [0] : bytes).withUnsafeBufferPointer { buffer in
                var body = swb_http_body(bytes: buffer.baseAddress, file: -1, offset: 0, size: Int64(bytes.count))
                action(&body)
            }
        case .file(let descriptor, let offset, let size):
            var body = swb_http_body(bytes: nil, file: descriptor, offset: offset, size: size)
            action(&body)
        }
    }
}

// What libcurl calls. The answer is SWB_HTTP_CONTINUE or SWB_HTTP_STOP.
extension HTTPExchange {
    private static func at(_ context: UnsafeMutableRawPointer) -> HTTPExchange {
        Unmanaged<HTTPExchange>.fromOpaque(context).takeUnretainedValue()
    }

    private func takeHeader(_ line: UnsafeBufferPointer<UInt8>) -> CInt {
        // Each response begins anew: a redirect's head says nothing of the file.
        if line.starts(with: "HTTP/".utf8) {
            head = HTTPHead()
            headSize = 0
        }
        headSize += line.count
        guard headSize <= Self.largestHead else { return CInt(SWB_HTTP_STOP) }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return CInt(SWB_HTTP_CONTINUE) }
        let field = HTTPField(
            name: String(decoding: line[..<colon], as: UTF8.self),
            value: Self.trimmed(line[(colon + 1)...])
        )
        head.fields.append(field)
        return CInt(SWB_HTTP_CONTINUE)
    }

    private static func trimmed(_ bytes: some BidirectionalCollection<UInt8>) -> String {
        let start = bytes.drop { $0 <= 0x20 }
        let end = start.lastIndex { $0 > 0x20 }.map(start.index(after:)) ?? start.startIndex
        return String(decoding: start[..<end], as: UTF8.self)
    }

    private func takeBody(status: Int, _ bytes: UnsafeRawBufferPointer) -> CInt {
        head.status = status
        if sink.receive(bytes, of: head) { return CInt(SWB_HTTP_CONTINUE) }
        stop = .enough
        return CInt(SWB_HTTP_STOP)
    }

    private func tick(sent: Int64) -> CInt {
        if sent != self.sent {
            self.sent = sent
            onProgress(sent)
        }
        guard request.isCancelled() else { return CInt(SWB_HTTP_CONTINUE) }
        stop = .cancelled
        return CInt(SWB_HTTP_STOP)
    }
}

extension swb_http_result {
    /// What went wrong, as text.
    fileprivate var text: String {
        withUnsafeBytes(of: reason) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}

/// Calls `body` with `strings` as C strings that live as long as the call.
private func withCStrings<Result>(
    _ strings: [String?],
    _ body: (UnsafeBufferPointer<UnsafePointer<CChar>?>) -> Result
) -> Result {
    var bytes: [CChar] = []
    var offsets: [Int?] = []
    for string in strings {
        offsets.append(string == nil ? nil : bytes.count)
        if let string { bytes += string.utf8CString }
    }
    return bytes.withUnsafeBufferPointer { bytes in
        let pointers = offsets.map { offset in offset.flatMap { offset in bytes.baseAddress.map { $0 + offset } } }
        return pointers.withUnsafeBufferPointer(body)
    }
}
