import OCI
import Synchronization
import Testing

@testable import Registry

/// What happens when a connection breaks, and when the file is there already.
@Suite struct ResumeTests {
    private static let content = "0123456789"

    /// The first five bytes of a body of ten.
    private static func broken(_ headers: [String]) -> String {
        let head = ["HTTP/1.1 200 OK", "Content-Length: 10"] + headers
        return head.map { $0 + "\r\n" }.joined() + "\r\n01234"
    }

    private static func rest(from first: Int, _ body: String) -> String {
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes \(first)-9/10\r\nContent-Length: \(body.utf8.count)"
            + "\r\n\r\n\(body)"
    }

    @Test(arguments: [
        ("ETag: \"v1\"", "\"v1\""), ("Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT", "Tue, 14 Nov 2023 22:13:20 GMT"),
    ])
    func aBrokenConnectionIsTakenUpWhereItEnded(header: String, validator: String) throws {
        let server = try LoopbackServer { request in
            request.value(of: "Range") == nil ? Self.broken([header]) : Self.rest(from: 5, "56789")
        }
        defer { server.stop() }
        let target = try TemporaryFile()
        let outcome = try HTTPDownload.fetch(impatient(server.url("/")), to: target.descriptor)
        guard case .file(let file) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(try target.content() == Array(Self.content.utf8))
        #expect(file.digest == Digest(of: Self.content.utf8))
        #expect(file.size == 10)
        #expect(server.requests.map { $0.value(of: "Range") } == [nil, "bytes=5-"])
        #expect(server.requests.last?.value(of: "If-Range") == validator)
    }

    @Test(arguments: [[], ["ETag: W/\"weak\""]])
    func withoutAStrongNameTheDownloadStartsOver(headers: [String]) throws {
        let isFirst = Atomic(true)
        let server = try LoopbackServer { _ in
            isFirst.exchange(false, ordering: .relaxed) ? Self.broken(headers) : ok("another")
        }
        defer { server.stop() }
        let target = try TemporaryFile()
        _ = try HTTPDownload.fetch(impatient(server.url("/")), to: target.descriptor)
        #expect(try target.content() == Array("another".utf8))
        #expect(server.requests.allSatisfy { $0.value(of: "Range") == nil })
    }

    @Test func aFileThatChangedMeanwhileStartsOver() throws {
        let server = try LoopbackServer { request in
            request.value(of: "Range") == nil ? Self.broken(["ETag: \"v1\""]) : ok("new", headers: ["ETag: \"v2\""])
        }
        defer { server.stop() }
        let target = try TemporaryFile()
        guard case .file(let file) = try HTTPDownload.fetch(impatient(server.url("/")), to: target.descriptor) else {
            Issue.record("not a file")
            return
        }
        #expect(try target.content() == Array("new".utf8))
        #expect(file.digest == Digest(of: "new".utf8))
        #expect(file.etag == "\"v2\"")
    }

    @Test func anotherPartThanAskedForIsNotUsed() throws {
        let server = try LoopbackServer { request in
            request.value(of: "Range") == nil ? Self.broken(["ETag: \"v1\""]) : Self.rest(from: 3, "3456789")
        }
        defer { server.stop() }
        let target = try TemporaryFile()
        #expect(throws: DownloadError.self) {
            try HTTPDownload.fetch(impatient(server.url("/")), to: target.descriptor)
        }
    }

    @Test func theLimitCountsAllParts() throws {
        let server = try LoopbackServer { request in
            request.value(of: "Range") == nil ? Self.broken(["ETag: \"v1\""]) : Self.rest(from: 5, "567890123456")
        }
        defer { server.stop() }
        let target = try TemporaryFile()
        let request = impatient(server.url("/"), limits: DownloadLimits(maximumSize: 12))
        #expect(throws: DownloadError.tooLarge(url: server.url("/"), limit: 12)) {
            try HTTPDownload.fetch(request, to: target.descriptor)
        }
    }

    @Test(arguments: [408, 429, 500, 502, 503, 504])
    func aFailureThatMayPassIsTriedAgain(status: Int) throws {
        let isFirst = Atomic(true)
        let server = try LoopbackServer { _ in
            isFirst.exchange(false, ordering: .relaxed)
                ? "HTTP/1.1 \(status) No\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n" : ok("content")
        }
        defer { server.stop() }
        let target = try TemporaryFile()
        _ = try HTTPDownload.fetch(impatient(server.url("/")), to: target.descriptor)
        #expect(try target.content() == Array("content".utf8))
    }

    @Test(arguments: [(503, 3), (404, 1), (403, 1)])
    func triesAreBounded(status: UInt, tries: Int) throws {
        let server = try LoopbackServer { _ in "HTTP/1.1 \(status) No\r\nContent-Length: 0\r\n\r\n" }
        defer { server.stop() }
        let target = try TemporaryFile()
        #expect(throws: DownloadError.status(status, url: server.url("/"))) {
            try HTTPDownload.fetch(impatient(server.url("/")), to: target.descriptor)
        }
        #expect(server.requests.count == tries)
    }

    @Test func aServerThatAsksForTooLongAWaitIsNotAskedAgain() throws {
        let server = try LoopbackServer { _ in
            "HTTP/1.1 429 No\r\nRetry-After: 86400\r\nContent-Length: 0\r\n\r\n"
        }
        defer { server.stop() }
        let target = try TemporaryFile()
        #expect(throws: DownloadError.status(429, url: server.url("/"))) {
            try HTTPDownload.fetch(impatient(server.url("/")), to: target.descriptor)
        }
        #expect(server.requests.count == 1)
    }

    @Test func waitsDoubleAndAreBounded() {
        let policy = RetryPolicy(maximumFailures: 5, firstWaitMilliseconds: 500, longestWaitMilliseconds: 1500)
        #expect((1...5).map { policy.wait(failures: $0, retryAfter: 0) } == [500, 1000, 1500, 1500, nil])
        #expect(policy.wait(failures: 1, retryAfter: 1) == 1000)
        #expect(policy.wait(failures: 1, retryAfter: 2) == nil)
        #expect(policy.wait(failures: 1, retryAfter: .max) == nil)
    }

    @Test(arguments: [
        FileValidators(etag: "\"v1\"", lastModified: "Tue, 14 Nov 2023 22:13:20 GMT"),
        FileValidators(etag: nil, lastModified: "Tue, 14 Nov 2023 22:13:20 GMT"),
    ])
    func anUnchangedFileIsNotSentAgain(known: FileValidators) throws {
        let server = try LoopbackServer { request in
            let isKnown =
                request.value(of: "If-None-Match") == "\"v1\""
                || request.value(of: "If-Modified-Since") == "Tue, 14 Nov 2023 22:13:20 GMT"
            return isKnown ? "HTTP/1.1 304 Not Modified\r\n\r\n" : ok("content")
        }
        defer { server.stop() }
        let target = try TemporaryFile()
        let outcome = try HTTPDownload.fetch(impatient(server.url("/"), known: known), to: target.descriptor)
        #expect(outcome == .notModified)
        #expect(try target.content().isEmpty)
        let other = FileValidators(etag: "\"v0\"", lastModified: nil)
        let changed = try HTTPDownload.fetch(impatient(server.url("/"), known: other), to: target.descriptor)
        #expect(changed != .notModified)
    }

    @Test func notModifiedWithoutBeingAskedIsAnError() throws {
        let server = try LoopbackServer { _ in "HTTP/1.1 304 Not Modified\r\n\r\n" }
        defer { server.stop() }
        let target = try TemporaryFile()
        #expect(throws: DownloadError.status(304, url: server.url("/"))) {
            try HTTPDownload.fetch(impatient(server.url("/")), to: target.descriptor)
        }
    }

    @Test func aTagCannotAddAHeader() throws {
        let server = try LoopbackServer { _ in ok("content") }
        defer { server.stop() }
        let target = try TemporaryFile()
        let known = FileValidators(etag: "x\r\nCookie: stolen", lastModified: nil)
        _ = try HTTPDownload.fetch(impatient(server.url("/"), known: known), to: target.descriptor)
        #expect(server.requests.allSatisfy { !$0.headers.contains("Cookie: stolen") })
    }

    @Test func credentialsDoNotGoToAnotherServer() throws {
        let other = try LoopbackServer { _ in ok("content") }
        defer { other.stop() }
        let server = try LoopbackServer { _ in
            "HTTP/1.1 302 Found\r\nLocation: \(other.url("/there"))\r\nContent-Length: 0\r\n\r\n"
        }
        defer { server.stop() }
        let target = try TemporaryFile()
        var request = impatient("http://user:secret@127.0.0.1:\(server.port)/")
        _ = try HTTPDownload.fetch(request, to: target.descriptor)
        request.http.url = server.url("/")
        request.http.fields = [HTTPField(name: "Authorization", value: "Bearer secret")]
        _ = try HTTPDownload.fetch(request, to: target.descriptor)
        #expect(server.requests.allSatisfy { $0.value(of: "Authorization") != nil })
        #expect(other.requests.count == 2)
        #expect(other.requests.allSatisfy { $0.value(of: "Authorization") == nil })
    }

    @Test(arguments: [
        ("attachment; filename=\"a b.txt\"", "a b.txt"),
        ("attachment; filename=plain.tar ; size=3", "plain.tar"),
        ("inline;filename=\"q\\\"uote\"", "q\"uote"),
        ("attachment; filename=\"x\"; filename*=UTF-8''na%C3%AFve.txt", "naïve.txt"),
        ("attachment", nil),
        ("attachment; filename=\"../../etc/passwd\"", nil),
        ("attachment; filename=..", nil),
        ("attachment; filename*=UTF-8''a%2Fb", nil),
        ("attachment; filename*=UTF-8''a%00b", nil),
        (";;;=;\"", nil),
        ("attachment; filename=\"unterminated", "unterminated"),
    ])
    func aSuggestedNameIsANameOrNothing(value: String, expected: String?) {
        #expect(ContentDisposition.fileName(value) == expected)
    }
}
