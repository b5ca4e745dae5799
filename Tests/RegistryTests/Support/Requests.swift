@testable import Registry

/// A request that tries again at once, and not often.
func impatient(
    _ url: String,
    known: FileValidators? = nil,
    limits: DownloadLimits = DownloadLimits()
) -> DownloadRequest {
    DownloadRequest(
        HTTPRequest(url: url, limits: limits),
        known: known,
        retries: RetryPolicy(maximumFailures: 3, firstWaitMilliseconds: 0, longestWaitMilliseconds: 0)
    )
}

/// A successful response.
func ok(_ body: String, headers: [String] = []) -> String {
    let lines = ["HTTP/1.1 200 OK", "Content-Length: \(body.utf8.count)"] + headers
    return lines.map { $0 + "\r\n" }.joined() + "\r\n" + body
}

extension LoopbackServer.Request {
    /// The value of a field of the head.
    func value(of name: String) -> String? {
        headers.first { $0.lowercased().hasPrefix("\(name.lowercased()): ") }.map {
            String($0.dropFirst(name.count + 2))
        }
    }
}
