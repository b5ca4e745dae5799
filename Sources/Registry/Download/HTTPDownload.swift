import Glibc

/// What to download, and how hard to try.
public struct DownloadRequest: Sendable {
    /// What is asked for.
    public var http: HTTPRequest
    /// The version that is there already: it is not sent again.
    public var known: FileValidators?
    /// What happens after a failure that may pass.
    public var retries: RetryPolicy

    /// A request for a file that is not there yet, unless told otherwise.
    public init(_ http: HTTPRequest, known: FileValidators? = nil, retries: RetryPolicy = RetryPolicy()) {
        self.http = http
        self.known = known
        self.retries = retries
    }
}

/// Downloads files over HTTP.
public enum HTTPDownload {
    /// Downloads what `url` names to `descriptor`, from where that stands, and computes its digest on the way.
    ///
    /// It blocks its thread until the file is there, and ends early when its task is cancelled. What was written stays
    /// in the file when the download fails.
    /// - Throws: ``DownloadError``, for a status that is no success, too.
    public static func fetch(
        _ url: String,
        to descriptor: CInt,
        limits: DownloadLimits = DownloadLimits()
    ) throws(DownloadError) -> DownloadedFile {
        let request = DownloadRequest(HTTPRequest(url: url, limits: limits))
        guard case .file(let file) = try fetch(request, to: descriptor) else {
            throw .status(304, url: redacted(url))
        }
        return file
    }

    /// Carries out a request, with `descriptor` as the file, from where that stands.
    ///
    /// After a failure that may pass it waits and tries again; a connection that broke in the middle is taken up there,
    /// if the server vouches that the file is still the same.
    /// - Throws: ``DownloadError``, for a status that is no success, too.
    public static func fetch(
        _ request: DownloadRequest,
        to descriptor: CInt
    ) throws(DownloadError) -> DownloadOutcome {
        let sink = DownloadSink(writingTo: descriptor, maximumSize: request.http.limits.maximumSize)
        var failures = 0
        for connection in 1... {
            let before = sink.size
            switch attempt(request, sink) {
            case .done(let outcome): return outcome
            case .failed(let error, let isPassing, let retryAfter):
                failures = sink.size > before ? 1 : failures + 1
                guard isPassing, connection < request.retries.maximumConnections,
                    let wait = request.retries.wait(failures: failures, retryAfter: retryAfter)
                else { throw error }
                try pause(wait, request.http)
            }
        }
        throw .failed(url: redacted(request.http.url), reason: "it was tried too often")
    }

    private enum Attempt {
        case done(DownloadOutcome)
        case failed(DownloadError, isPassing: Bool, retryAfter: Int64 = 0)
    }

    private static func attempt(_ request: DownloadRequest, _ sink: DownloadSink) -> Attempt {
        let resumption = sink.resumption
        if resumption.isEmpty { _ = sink.startOver() }
        sink.begin()
        var http = request.http
        // A file that has begun to arrive is another version than the known one.
        http.fields += resumption.isEmpty ? request.known?.condition ?? [] : resumption
        let url = redacted(http.url)
        let head: HTTPHead
        do throws(DownloadError) {
            head = try HTTPClient.get(http, into: sink)
        } catch {
            return .failed(error, isPassing: error.mayPass)
        }
        if head.status == 304, resumption.isEmpty, request.known?.condition.isEmpty == false {
            return .done(.notModified)
        }
        guard sink.decide(head) else { return failure(of: sink, head, request, url: url) }
        let file = DownloadedFile(
            digest: sink.finish(),
            size: sink.size,
            lastModified: head.lastModified,
            validators: FileValidators(etag: head.value(of: "ETag"), lastModified: head.value(of: "Last-Modified")),
            suggestedName: head.value(of: "Content-Disposition").flatMap(ContentDisposition.fileName)
        )
        return .done(.file(file))
    }

    private static func failure(
        of sink: DownloadSink,
        _ head: HTTPHead,
        _ request: DownloadRequest,
        url: String
    ) -> Attempt {
        switch sink.stop {
        case .writeFailed(let errno): return .failed(.unwritable(url: url, errno: errno), isPassing: false)
        case .tooLarge:
            return .failed(.tooLarge(url: url, limit: request.http.limits.maximumSize), isPassing: false)
        case .wrongPart:
            return .failed(.failed(url: url, reason: "the server sent another part than asked for"), isPassing: true)
        case .errorStatus, nil: break
        }
        if head.status == 416, sink.size > 0 {
            // There is no such rest: the file has become shorter.
            _ = sink.startOver()
            return .failed(.status(416, url: url), isPassing: true)
        }
        let mayPass = [408, 429, 500, 502, 503, 504].contains(head.status)
        return .failed(.status(UInt(head.status), url: url), isPassing: mayPass, retryAfter: head.retryAfter)
    }

    /// Waits, in pieces, so that a cancellation is seen.
    private static func pause(_ milliseconds: Int64, _ request: HTTPRequest) throws(DownloadError) {
        var rest = milliseconds
        while rest > 0 {
            if request.isCancelled() { throw .cancelled(url: redacted(request.url)) }
            let piece = min(rest, 100)
            var time = timespec(tv_sec: 0, tv_nsec: Int(piece) * 1_000_000)
            nanosleep(&time, nil)
            rest -= piece
        }
    }
}
