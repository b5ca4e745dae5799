import OCI
import Testing

@testable import Registry

/// Registries that send what they should not.
@Suite struct HostileTests {
    private static let manifest = "{\"schemaVersion\":2,\"config\":{},\"layers\":[]}"

    private func reason(
        _ configuration: RegistryConfiguration = quickly(),
        _ answer: @escaping @Sendable (LoopbackServer.Request) -> String?,
        _ body: (RegistryClient, FakeRegistry) throws -> Void
    ) throws -> RegistryError.Reason? {
        let registry = try FakeRegistry(fault: answer)
        defer { registry.stop() }
        let error = #expect(throws: RegistryError.self) { try body(RegistryClient(configuration), registry) }
        return error?.reason
    }

    private func manifestReason(
        _ suffix: String = ":v1",
        _ answer: @escaping @Sendable (LoopbackServer.Request) -> String
    ) throws -> RegistryError.Reason? {
        try reason {
            answer($0)
        } _: { client, registry in
            _ = try client.manifest(registry.name("a", suffix))
        }
    }

    @Test func aManifestOfAnotherDigestIsRefused() throws {
        let other = Digest(of: "other".utf8)
        let actual = Digest(of: Self.manifest.utf8)
        let asked = try manifestReason("@\(other)") { _ in
            ok(Self.manifest, headers: ["Content-Type: \(MediaType.manifest.rawValue)"])
        }
        #expect(asked == .wrongDigest(expected: other, actual: actual))
        let told = try manifestReason { _ in
            ok(
                Self.manifest,
                headers: ["Content-Type: \(MediaType.manifest.rawValue)", "Docker-Content-Digest: \(other)"]
            )
        }
        #expect(told == .wrongDigest(expected: other, actual: actual))
    }

    @Test(arguments: [
        ("text/html", "<html>"), ("application/vnd.docker.distribution.manifest.v1+prettyjws", manifest),
        ("application/vnd.oci.image.index.v1+json", manifest), ("application/json", "{}"),
        ("application/vnd.oci.image.manifest.v1+json", "{\"config\":{},\"layers\":[],\"manifests\":[]}"),
        (
            "application/vnd.oci.image.manifest.v1+json",
            "{\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"config\":{},\"layers\":[]}"
        ),
        ("application/vnd.oci.image.manifest.v1+json", "not JSON"),
    ])
    func whatIsNoManifestIsRefused(type: String, body: String) throws {
        let reason = try manifestReason { _ in ok(body, headers: ["Content-Type: \(type)"]) }
        guard case .wrongMediaType = reason else {
            Issue.record("\(String(describing: reason))")
            return
        }
    }

    @Test(arguments: [true, false])
    func aManifestIsAtMostFourMegabytes(isAnnounced: Bool) throws {
        let reason = try manifestReason { _ in
            let body = String(repeating: " ", count: (4 << 20) + 1)
            return isAnnounced ? ok(body) : "HTTP/1.0 200 OK\r\n\r\n" + body
        }
        #expect(reason == .tooLarge(limit: 4 << 20))
    }

    @Test func aConfigurationOfAnotherDigestIsRefused() throws {
        let blob = Descriptor(mediaType: .config, digest: Digest(of: "expected".utf8), size: 8)
        let reason = try reason { _ in
            ok("attacker")
        } _: { client, registry in
            _ = try client.blob(blob, of: registry.name("a"), limit: 100)
        }
        #expect(reason == .wrongDigest(expected: blob.digest, actual: Digest(of: "attacker".utf8)))
    }

    @Test func aConfigurationBeyondTheLimitIsNotAskedFor() throws {
        let blob = Descriptor(mediaType: .config, digest: Digest(of: "".utf8), size: 101)
        let reason = try reason { _ in
            ok("")
        } _: { client, registry in
            _ = try client.blob(blob, of: registry.name("a"), limit: 100)
            #expect(registry.requests.isEmpty)
        }
        #expect(reason == .tooLarge(limit: 100))
    }

    @Test(arguments: [
        (ok("0123456789x"), RegistryError.Reason.wrongSize(expected: 10, actual: 11)),
        ("HTTP/1.0 200 OK\r\n\r\n0123456789x", .wrongSize(expected: 10, actual: 11)),
        (ok("012345678"), .wrongSize(expected: 10, actual: 9)),
        ("HTTP/1.0 200 OK\r\n\r\n012345678", .wrongSize(expected: 10, actual: 9)),
        (ok("", headers: []), .wrongSize(expected: 10, actual: 0)),
        (
            status(206, ["Content-Range: bytes 3-9/10"], length: 7) + "3456789",
            .malformed("it sent the part from byte 3 in place of 0")
        ),
        (status(206, length: 10) + "0123456789", .malformed("a part without Content-Range")),
        (status(206, ["Content-Range: bytes 0-9/20"], length: 10) + "0123456789", .wrongSize(expected: 10, actual: 20)),
    ])
    func aBlobOfAnotherSizeIsRefused(answer: String, expected: RegistryError.Reason) throws {
        let sink = RecordingSink(limit: 10)
        let reason = try reason { _ in
            answer
        } _: { client, registry in
            let blob = registry.addBlob("0123456789")
            try client.fetch(blob, of: registry.name("a"), into: sink)
        }
        #expect(reason == expected)
    }

    @Test func aBlobThatAlwaysBreaksOffEnds() throws {
        let sink = RecordingSink()
        let reason = try reason { _ in
            status(200, length: 10) + "012"
        } _: { client, registry in
            let blob = registry.addBlob("0123456789")
            defer { #expect(registry.requests.count == 3) }
            try client.fetch(blob, of: registry.name("a"), into: sink)
        }
        guard case .interrupted = reason else {
            Issue.record("\(String(describing: reason))")
            return
        }
        #expect(sink.text == "012")
    }

    @Test func anEndlessHeadEnds() throws {
        let reason = try manifestReason { _ in
            "HTTP/1.1 200 OK\r\n"
                + (0..<5000).map { "X-\($0): \(String(repeating: "x", count: 100))\r\n" }.joined() + "\r\n"
        }
        #expect("\(String(describing: reason))".contains("larger than 256 KiB"))
    }

    @Test func aSlowBodyEnds() throws {
        // The server sends a part of the body, and then nothing.
        let server = try SilentServer()
        defer { server.stop() }
        let configuration = quickly {
            $0.limits = DownloadLimits(slowBytesPerSecond: 10, slowSeconds: 1)
            $0.retries.maximumFailures = 1
        }
        let name = try ImageReference(parsing: "127.0.0.1:\(server.port)/a")
        let blob = Descriptor(mediaType: .config, digest: Digest(of: "".utf8), size: 10)
        let error = #expect(throws: RegistryError.self) {
            try RegistryClient(configuration).fetch(blob, of: name, into: RecordingSink())
        }
        guard case .stalled = error?.reason else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func redirectsAreBounded() throws {
        let registry = try FakeRegistry { _ in status(307, ["Location: /v2/again"]) }
        defer { registry.stop() }
        let error = #expect(throws: RegistryError.self) {
            try RegistryClient(quickly()).manifest(registry.name("a"))
        }
        #expect(error?.reason == .tooManyRedirects(limit: 10))
        #expect(registry.requests.count == 11)
    }

    @Test(arguments: ["file:///etc/passwd", "ftp://example.com/", "//", "http://[", "javascript:1"])
    func redirectsOutOfHTTPAreRefused(location: String) throws {
        let reason = try manifestReason { _ in status(302, ["Location: \(location)"]) }
        guard case .refusedRedirect = reason else {
            Issue.record("\(String(describing: reason))")
            return
        }
    }

    @Test func whatARegistrySaysIsCutAndEscaped() throws {
        let reason = try manifestReason { _ in
            refusal(400, "X", "\\u001b[31mred\\n\\u202e" + String(repeating: "long", count: 1000))
        }
        guard case .status(400, let said) = reason else {
            Issue.record("\(String(describing: reason))")
            return
        }
        #expect(said.hasPrefix("X: \\u{1b}[31mred \\u{202e}long"))
        #expect(said.unicodeScalars.count <= 520)
    }

    @Test func anErrorWithoutEndIsCut() throws {
        let reason = try manifestReason { _ in
            "HTTP/1.0 400 No\r\n\r\n" + String(repeating: "x", count: 1 << 20)
        }
        #expect(reason == .status(400, said: String(repeating: "x", count: 500) + "…"))
    }
}
