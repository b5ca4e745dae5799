import Glibc
import OCI
import Testing

@testable import Registry

@Suite struct HTTPDownloadTests {
    private static let redirectLoop = "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n"

    @Test func aFileArrivesWithItsFacts() throws {
        let body = "the content\n"
        let server = try LoopbackServer { _ in
            ok(body, headers: ["ETag: \"v1\"", "Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT"])
        }
        defer { server.stop() }
        let target = try TemporaryFile()
        let file = try HTTPDownload.fetch(server.url("/file.txt"), to: target.descriptor)
        #expect(file.digest == Digest(of: body.utf8))
        #expect(file.size == 12)
        #expect(file.lastModified == 1_700_000_000)
        #expect(file.etag == "\"v1\"")
        #expect(try target.content() == Array(body.utf8))
    }

    @Test func aServerThatSaysLittleLeavesFactsOpen() throws {
        let server = try LoopbackServer { _ in "HTTP/1.0 200 OK\r\n\r\nuntil the end" }
        defer { server.stop() }
        let target = try TemporaryFile()
        let file = try HTTPDownload.fetch(server.url("/"), to: target.descriptor)
        #expect(file.lastModified == nil)
        #expect(file.etag == nil)
        #expect(file.size == 13)
    }

    @Test func aRedirectIsFollowedAndItsHeadersForgotten() throws {
        let server = try LoopbackServer { request in
            request.path == "/old"
                ? "HTTP/1.1 301 Moved\r\nLocation: /new\r\nETag: \"old\"\r\nContent-Length: 3\r\n\r\nold"
                : ok("new")
        }
        defer { server.stop() }
        let target = try TemporaryFile()
        let file = try HTTPDownload.fetch(server.url("/old"), to: target.descriptor)
        #expect(file.etag == nil)
        #expect(try target.content() == Array("new".utf8))
    }

    @Test(arguments: [301, 302, 403, 404, 500, 503])
    func aStatusThatIsNoSuccessIsAnError(status: UInt) throws {
        let server = try LoopbackServer { _ in
            "HTTP/1.1 \(status) No\r\nContent-Length: 6\r\n\r\nsecret"
        }
        defer { server.stop() }
        let target = try TemporaryFile()
        let url = server.url("/missing")
        #expect(throws: DownloadError.status(status, url: url)) {
            try HTTPDownload.fetch(impatient(url), to: target.descriptor)
        }
        #expect(try target.content().isEmpty)
        #expect("\(DownloadError.status(status, url: url))".contains("\(status)"))
    }

    @Test func redirectsAreBounded() throws {
        let server = try LoopbackServer { _ in Self.redirectLoop }
        defer { server.stop() }
        let target = try TemporaryFile()
        let url = server.url("/loop")
        #expect(throws: DownloadError.tooManyRedirects(url: url, limit: 10)) {
            try HTTPDownload.fetch(url, to: target.descriptor)
        }
        #expect(server.requests.count == 11)
    }

    @Test func aRedirectOutOfHTTPIsRefused() throws {
        let server = try LoopbackServer { _ in
            "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"
        }
        defer { server.stop() }
        let target = try TemporaryFile()
        #expect(throws: DownloadError.self) {
            try HTTPDownload.fetch(server.url("/"), to: target.descriptor)
        }
        #expect(try target.content().isEmpty)
    }

    @Test(arguments: [true, false])
    func sizeIsBounded(isAnnounced: Bool) throws {
        let server = try LoopbackServer { _ in
            isAnnounced ? ok("0123456789") : "HTTP/1.0 200 OK\r\n\r\n0123456789"
        }
        defer { server.stop() }
        let target = try TemporaryFile()
        let url = server.url("/")
        #expect(throws: DownloadError.tooLarge(url: url, limit: 9)) {
            try HTTPDownload.fetch(url, to: target.descriptor, limits: DownloadLimits(maximumSize: 9))
        }
        let whole = try HTTPDownload.fetch(url, to: target.descriptor, limits: DownloadLimits(maximumSize: 10))
        #expect(whole.size == 10)
    }

    @Test func aBodyThatBreaksOffIsAnError() throws {
        let server = try LoopbackServer { _ in "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun" }
        defer { server.stop() }
        let target = try TemporaryFile()
        #expect(throws: DownloadError.self) {
            try HTTPDownload.fetch(impatient(server.url("/")), to: target.descriptor)
        }
    }

    @Test(arguments: ["ftp://host/file", "file:///etc/passwd", "/etc/passwd", "", "http:/host", "http://host/\0"])
    func whatIsNoHTTPURLIsRefused(url: String) throws {
        let target = try TemporaryFile()
        let error = #expect(throws: DownloadError.self) { try HTTPDownload.fetch(url, to: target.descriptor) }
        guard case .unsupportedURL = error else {
            Issue.record("\(url): \(String(describing: error))")
            return
        }
    }

    @Test func aFullDiskIsNamed() throws {
        let full = open("/dev/full", O_WRONLY | O_CLOEXEC)
        defer { close(full) }
        let server = try LoopbackServer { _ in ok("content") }
        defer { server.stop() }
        let url = server.url("/")
        let error = #expect(throws: DownloadError.unwritable(url: url, errno: ENOSPC)) {
            try HTTPDownload.fetch(url, to: full)
        }
        #expect(error.map { "\($0)".contains("No space left") } == true)
    }

    @Test func aConnectionThatIsRefusedIsAnError() throws {
        let server = try LoopbackServer { _ in ok("") }
        let url = server.url("/file")
        server.stop()
        let target = try TemporaryFile()
        let error = #expect(throws: DownloadError.self) { try HTTPDownload.fetch(url, to: target.descriptor) }
        #expect(error.map { "\($0)".contains(url) } == true)
    }

    @Test func aCancelledTaskEndsItsDownload() async throws {
        let server = try LoopbackServer { _ in ok("content") }
        defer { server.stop() }
        let target = try TemporaryFile()
        let url = server.url("/")
        let task = Task {
            // Until the cancellation below has arrived.
            while !Task.isCancelled { await Task.yield() }
            return Result { try HTTPDownload.fetch(url, to: target.descriptor) }
        }
        task.cancel()
        let result = await task.value
        #expect(throws: DownloadError.cancelled(url: url)) { try result.get() }
    }

    @Test(arguments: [
        ("http://host/path", "http://host/path"),
        ("http://user:secret@host/path", "http://host/path"),
        ("https://user@host:8080", "https://host:8080"),
        ("http://a:b@c@host/x@y", "http://host/x@y"),
        ("https://host/path?token=secret#part", "https://host/path?…"),
        ("https://host?token=secret", "https://host?…"),
        ("no url", "no url"),
    ])
    func credentialsLeaveAURL(url: String, expected: String) {
        #expect(redacted(url) == expected)
    }

    @Test func credentialsAreSentButNotShown() throws {
        let server = try LoopbackServer { request in
            // `user:secret` in base 64.
            request.headers.contains("Authorization: Basic dXNlcjpzZWNyZXQ=")
                ? "HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n" : ok("")
        }
        defer { server.stop() }
        let target = try TemporaryFile()
        #expect(throws: DownloadError.status(418, url: server.url("/"))) {
            try HTTPDownload.fetch("http://user:secret@127.0.0.1:\(server.port)/", to: target.descriptor)
        }
    }
}
