import CShims
import Synchronization

/// The connections that exchanges leave open for the next ones: for one exchange at a time.
final class HTTPSession: @unchecked Sendable {
    /// libcurl's own structure, which any thread may use, one at a time: ``HTTPSessions`` sees to that.
    let pointer: OpaquePointer

    /// `nil` where there is no libcurl: an exchange without a session then says why.
    init?() {
        guard let pointer = swb_http_session_begin() else { return nil }
        self.pointer = pointer
    }

    deinit { swb_http_session_end(pointer) }
}

/// The sessions that no exchange uses at the moment, by where their connections lead.
///
/// libcurl could share connections between threads, but calls that unsafe; so each exchange has a session for itself.
final class HTTPSessions: Sendable {
    /// As many are kept for one server; more are closed.
    private static let mostIdle = 8
    private let idle = Mutex<[Key: [HTTPSession]]>([:])

    private struct Key: Hashable {
        let origin: HTTPOrigin
        let trust: TLSTrust
    }

    /// Makes a request over a connection that is open already, where there is one.
    func perform(
        _ request: HTTPRequest,
        into sink: any HTTPBodySink,
        onProgress: (Int64) -> Void = { _ in }
    ) throws(DownloadError) -> HTTPHead {
        guard let origin = HTTPURL(request.url)?.origin else { throw .unsupportedURL(redacted(request.url)) }
        let key = Key(origin: origin, trust: request.trust)
        let session = idle.withLock { $0[key]?.popLast() } ?? HTTPSession()
        defer {
            if let session {
                idle.withLock { idle in
                    if idle[key, default: []].count < Self.mostIdle { idle[key, default: []].append(session) }
                }
            }
        }
        return try HTTPClient.perform(request, in: session, into: sink, onProgress: onProgress)
    }
}
