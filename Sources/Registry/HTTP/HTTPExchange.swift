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
        guard isHTTP(request.url), !request.url.utf8.contains(0) else { throw .unsupportedURL(redacted(request.url)) }
        return try HTTPExchange(request, sink).run()
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
    private var head = HTTPHead()
    private var headSize = 0
    private var stop: Stop?
    /// More than any honest server sends.
    private static let largestHead = 256 << 10

    init(_ request: HTTPRequest, _ sink: any HTTPBodySink) {
        self.request = request
        self.sink = sink
    }

    func run() throws(DownloadError) -> HTTPHead {
        let result = perform()
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
        switch result.code {
        case CInt(SWB_HTTP_OK): nil
        case CInt(SWB_HTTP_NO_LIBRARY): .missingLibrary(reason: result.text)
        case CInt(SWB_HTTP_UNSUPPORTED_PROTOCOL) where (300..<400).contains(result.status):
            .refusedRedirect(url: url, reason: result.text)
        case CInt(SWB_HTTP_TOO_MANY_REDIRECTS): .tooManyRedirects(url: url, limit: request.limits.maximumRedirects)
        case CInt(SWB_HTTP_TOO_LARGE): .tooLarge(url: url, limit: request.limits.maximumSize)
        case CInt(SWB_HTTP_TIMED_OUT): .stalled(url: url, reason: result.text)
        case CInt(SWB_HTTP_UNTRUSTED), CInt(SWB_HTTP_BAD_AUTHORITIES): .untrusted(url: url, reason: result.text)
        case CInt(SWB_HTTP_UNKNOWN_HOST), CInt(SWB_HTTP_UNKNOWN_PROXY): .unknownHost(url: url, reason: result.text)
        case CInt(SWB_HTTP_PARTIAL_FILE), CInt(SWB_HTTP_GOT_NOTHING), CInt(SWB_HTTP_SEND_ERROR),
            CInt(SWB_HTTP_RECEIVE_ERROR), CInt(SWB_HTTP_HTTP2), CInt(SWB_HTTP_HTTP2_STREAM):
            .interrupted(url: url, reason: result.text)
        default: .failed(url: url, reason: result.text)
        }
    }

    /// A variable of the environment; an empty one is as good as none.
    private static func variable(_ name: String) -> UnsafeMutablePointer<CChar>? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return value
    }

    private func perform() -> swb_http_result {
        var result = swb_http_result()
        let limits = request.limits
        let lines = request.fields.filter(\.isSafe).map { "\($0.name): \($0.value)" }
        withCStrings(lines) { lines in
            request.url.withCString { url in
                var request = swb_http_request(
                    url: url,
                    headers: lines.baseAddress,
                    header_count: UInt32(lines.count),
                    certificates: Self.variable("SSL_CERT_FILE") ?? Self.variable("CURL_CA_BUNDLE"),
                    certificate_directory: Self.variable("SSL_CERT_DIR"),
                    maximum_redirects: limits.maximumRedirects,
                    connect_seconds: limits.connectSeconds,
                    slow_bytes_per_second: limits.slowBytesPerSecond,
                    slow_seconds: limits.slowSeconds,
                    maximum_size: limits.maximumSize,
                    context: Unmanaged.passUnretained(self).toOpaque(),
                    on_header: { HTTPExchange.at($0).takeHeader(UnsafeBufferPointer(start: $1, count: $2)) },
                    on_body: { HTTPExchange.at($0).takeBody(status: $1, UnsafeRawBufferPointer(start: $2, count: $3)) },
                    on_tick: { HTTPExchange.at($0).tick() }
                )
                withExtendedLifetime(self) { swb_http_get(&request, &result) }
            }
        }
        return result
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

    private func tick() -> CInt {
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
    _ strings: [String],
    _ body: (UnsafeBufferPointer<UnsafePointer<CChar>>) -> Result
) -> Result {
    var bytes: [CChar] = []
    var offsets: [Int] = []
    for string in strings {
        offsets.append(bytes.count)
        bytes += string.utf8CString
    }
    return bytes.withUnsafeBufferPointer { bytes in
        let pointers = offsets.compactMap { offset in bytes.baseAddress.map { $0 + offset } }
        return pointers.withUnsafeBufferPointer(body)
    }
}
