import CShims
import Glibc

/// Downloads files over HTTP.
public enum HTTPDownload {
    /// Downloads what `url` names to `descriptor`, from where that stands, and computes its digest on the way.
    ///
    /// It blocks its thread until the file is there, and ends early when its task is cancelled. Redirects are
    /// followed to HTTP only; certificates are those of `SSL_CERT_FILE`, or the system's. What was written stays in
    /// the file when the download fails.
    /// - Throws: ``DownloadError``, for a status that is no success, too.
    public static func fetch(
        _ url: String,
        to descriptor: CInt,
        limits: DownloadLimits = DownloadLimits()
    ) throws(DownloadError) -> DownloadedFile {
        let (transfer, result) = try exchange(url, headers: [], to: descriptor, limits: limits)
        guard (200..<300).contains(result.status) else {
            throw .status(UInt(max(0, result.status)), url: redacted(url))
        }
        return transfer.file(lastModified: result.last_modified)
    }

    /// Downloads what `url` names, unless it is still the version that `etag` names: then the result is `nil`.
    /// - Throws: ``DownloadError``, as ``fetch(_:to:limits:)`` does.
    public static func fetch(
        _ url: String,
        to descriptor: CInt,
        limits: DownloadLimits = DownloadLimits(),
        ifNoneMatch etag: String
    ) throws(DownloadError) -> DownloadedFile? {
        // A tag that could end the header early was no tag to begin with: ask for the file without it.
        let isSafe = etag.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
        let headers = isSafe ? ["If-None-Match: \(etag)"] : []
        let (transfer, result) = try exchange(url, headers: headers, to: descriptor, limits: limits)
        if result.status == 304 { return nil }
        guard (200..<300).contains(result.status) else {
            throw .status(UInt(max(0, result.status)), url: redacted(url))
        }
        return transfer.file(lastModified: result.last_modified)
    }

    private static func exchange(
        _ url: String,
        headers: [String],
        to descriptor: CInt,
        limits: DownloadLimits
    ) throws(DownloadError) -> (HTTPTransfer, swb_http_result) {
        guard isHTTP(url), !url.utf8.contains(0) else { throw .unsupportedURL(redacted(url)) }
        let transfer = HTTPTransfer(writingTo: descriptor, maximumSize: limits.maximumSize)
        let result = transfer.run(url, headers: headers, limits: limits)
        if let error = failure(of: transfer, result, url: redacted(url), limits: limits) { throw error }
        return (transfer, result)
    }

    private static func isHTTP(_ url: String) -> Bool {
        let start = url.prefix(8).lowercased()
        return start.hasPrefix("http://") || start.hasPrefix("https://")
    }

    /// The exchange's own failure, or `nil` where the server answered: whatever its answer was.
    private static func failure(
        of transfer: HTTPTransfer,
        _ result: swb_http_result,
        url: String,
        limits: DownloadLimits
    ) -> DownloadError? {
        switch transfer.stop {
        case .writeFailed(let errno): return .unwritable(url: url, errno: errno)
        case .tooLarge: return .tooLarge(url: url, limit: limits.maximumSize)
        case .cancelled: return .cancelled(url: url)
        case .errorStatus: return nil
        case nil: break
        }
        switch result.code {
        case CInt(SWB_HTTP_OK): return nil
        case CInt(SWB_HTTP_NO_LIBRARY): return .missingLibrary(reason: result.text)
        case CInt(SWB_HTTP_TOO_MANY_REDIRECTS):
            return .tooManyRedirects(url: url, limit: limits.maximumRedirects)
        case CInt(SWB_HTTP_TOO_LARGE): return .tooLarge(url: url, limit: limits.maximumSize)
        case CInt(SWB_HTTP_TIMED_OUT): return .stalled(url: url, reason: result.text)
        default: return .failed(url: url, reason: result.text)
        }
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
