import Glibc
import OCI
import Synchronization
import Testing

@testable import Registry

@Suite struct PushTests {
    private static let content = "0123456789"
    private static let digest = Digest(of: content.utf8)
    private static let blob = Descriptor(mediaType: .layer(.gzip), digest: digest, size: 10)
    private let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private func file() throws -> TemporaryFile {
        let file = try TemporaryFile()
        _ = write(file.descriptor, Self.content, 10)
        return file
    }

    private func push(
        to registry: FakeRegistry,
        _ configuration: RegistryConfiguration = quickly(),
        from sources: [String] = [],
        onProgress: @Sendable (Int64) -> Void = { _ in }
    ) throws -> BlobPushOutcome {
        let file = try file()
        defer { withExtendedLifetime(file) {} }
        return try RegistryClient(configuration).push(
            Self.blob,
            from: file.descriptor,
            to: registry.name("a/b"),
            mountableFrom: sources.map { try registry.name($0) },
            onProgress: onProgress
        )
    }

    private func kept(_ registry: FakeRegistry) -> String? {
        registry.state.withLock { $0.blobs["\(Self.digest)"] }.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func aBlobIsSentInOne() throws {
        let registry = try FakeRegistry()
        defer { registry.stop() }
        let progress = Mutex<[Int64]>([])
        let outcome = try push(to: registry, onProgress: { sent in progress.withLock { $0.append(sent) } })
        #expect(outcome == .uploaded)
        #expect(kept(registry) == Self.content)
        #expect(
            registry.lines == [
                "HEAD /v2/a/b/blobs/\(Self.digest)", "POST /v2/a/b/blobs/uploads/",
                "PUT /v2/x/blobs/uploads/1?state=a&digest=\(percentEncoded("\(Self.digest)"))",
            ]
        )
        #expect(registry.requests.allSatisfy { $0.value(of: "Expect") == nil })
        #expect(progress.withLock { $0.last } == 10)
    }

    @Test func whatIsThereIsNotSent() throws {
        let registry = try FakeRegistry()
        defer { registry.stop() }
        _ = registry.addBlob(Self.content)
        #expect(try push(to: registry, from: ["c"]) == .alreadyThere)
        #expect(registry.lines == ["HEAD /v2/a/b/blobs/\(Self.digest)"])
    }

    @Test func anotherRepositoryHelpsOut() throws {
        let registry = try FakeRegistry { $0.method == "HEAD" ? status(404) : nil }
        defer { registry.stop() }
        _ = registry.addBlob(Self.content)
        // Neither the repository itself nor another registry's is worth a question.
        let client = RegistryClient(quickly())
        let sources = [
            try registry.name("a/b"), try ImageReference(parsing: "example.com/c"), try registry.name("c/d"),
        ]
        let outcome = try client.push(
            Self.blob,
            from: file().descriptor,
            to: registry.name("a/b"),
            mountableFrom: sources,
            onProgress: { _ in }
        )
        #expect(outcome == .mounted)
        #expect(registry.lines.count == 2)
        #expect(
            registry.lines.last
                == "POST /v2/a/b/blobs/uploads/?mount=\(percentEncoded("\(Self.digest)"))&from=c%2Fd"
        )
    }

    @Test func aRegistryThatWillNotMountGetsTheBytes() throws {
        let registry = try FakeRegistry()
        defer { registry.stop() }
        #expect(try push(to: registry, from: ["c", "d"]) == .uploaded)
        #expect(kept(registry) == Self.content)
        // The first attempt's upload is given back, the second's is used.
        #expect(registry.requests.map(\.method) == ["HEAD", "POST", "DELETE", "POST", "PUT"])
        #expect(registry.state.withLock { $0.uploads.isEmpty })
    }

    @Test func aBlobIsSentInPieces() throws {
        let registry = try FakeRegistry()
        defer { registry.stop() }
        #expect(try push(to: registry, quickly { $0.uploadChunkSize = 4 }) == .uploaded)
        #expect(kept(registry) == Self.content)
        let pieces = registry.requests.filter { $0.method == "PATCH" }
        #expect(pieces.map { $0.value(of: "Content-Range") } == ["0-3", "4-7", "8-9"])
        #expect(registry.requests.last?.method == "PUT")
        #expect(registry.requests.last?.body.isEmpty == true)
    }

    @Test func theRegistrySaysHowSmallPiecesMayBe() throws {
        let registry = try FakeRegistry { request in
            request.method == "POST"
                ? status(202, ["Location: /v2/x/blobs/uploads/1", "OCI-Chunk-Min-Length: 7"]) : nil
        }
        defer { registry.stop() }
        #expect(try push(to: registry, quickly { $0.uploadChunkSize = 4 }) == .uploaded)
        let pieces = registry.requests.filter { $0.method == "PATCH" }
        #expect(pieces.map { $0.value(of: "Content-Range") } == ["0-6", "7-9"])
        #expect(kept(registry) == Self.content)
    }

    @Test(arguments: [nil, 4] as [Int64?])
    func anUploadThatFailsIsBegunAnew(chunk: Int64?) throws {
        let rest = Atomic(2)
        let registry = try FakeRegistry { request in
            guard ["PUT", "PATCH"].contains(request.method) else { return nil }
            return rest.subtract(1, ordering: .relaxed).newValue >= 0 ? status(503) : nil
        }
        defer { registry.stop() }
        #expect(try push(to: registry, quickly { $0.uploadChunkSize = chunk }) == .uploaded)
        #expect(kept(registry) == Self.content)
        #expect(registry.requests.filter { $0.method == "POST" }.count == 3)
    }

    @Test func anUploadMayGoToAnotherPlaceWithoutCredentials() throws {
        let other = try LoopbackServer { _ in status(201) }
        defer { other.stop() }
        let registry = try FakeRegistry { request in
            if request.value(of: "Authorization") == nil {
                return status(401, ["WWW-Authenticate: Basic realm=\"r\""])
            }
            return request.method == "POST" ? status(202, ["Location: \(other.url("/up?signed=1"))"]) : nil
        }
        defer { registry.stop() }
        let store = try credentials("{\"auths\":{\"\(registry.host)\":{\"auth\":\"dXNlcjpzZWNyZXQ=\"}}}", in: scratch)
        #expect(try push(to: registry, quickly { $0.credentials = store }) == .uploaded)
        #expect(other.requests.map(\.path) == ["/up?signed=1&digest=\(percentEncoded("\(Self.digest)"))"])
        #expect(other.requests.first?.body == Array(Self.content.utf8))
        #expect(other.requests.first?.value(of: "Authorization") == nil)
    }

    @Test func anotherPlaceThatAsksForCredentialsGetsNone() throws {
        let other = try LoopbackServer { request in
            let host = request.value(of: "Host") ?? ""
            return status(401, ["WWW-Authenticate: Bearer realm=\"http://\(host)/token\",service=\"s\""])
        }
        defer { other.stop() }
        let registry = try FakeRegistry { request in
            if request.value(of: "Authorization") == nil {
                return status(401, ["WWW-Authenticate: Basic realm=\"r\""])
            }
            return request.method == "POST" ? status(202, ["Location: \(other.url("/up"))"]) : nil
        }
        defer { registry.stop() }
        let store = try credentials("{\"auths\":{\"\(registry.host)\":{\"auth\":\"dXNlcjpzZWNyZXQ=\"}}}", in: scratch)
        let error = #expect(throws: RegistryError.self) { try push(to: registry, quickly { $0.credentials = store }) }
        #expect("\(error.map(String.init(describing:)) ?? "")".contains("credentials are not sent"))
        #expect(other.requests.allSatisfy { $0.path.hasPrefix("/up?") && $0.value(of: "Authorization") == nil })
    }

    @Test func aFileThatIsTooShortIsAnError() throws {
        let registry = try FakeRegistry(keepsConnections: true)
        defer { registry.stop() }
        let blob = Descriptor(mediaType: .layer(.gzip), digest: Self.digest, size: 11)
        let file = try file()
        defer { withExtendedLifetime(file) {} }
        let error = #expect(throws: RegistryError.self) {
            try RegistryClient(quickly()).push(
                blob,
                from: file.descriptor,
                to: registry.name("a"),
                mountableFrom: [],
                onProgress: { _ in }
            )
        }
        #expect(error?.reason == .unreadable(errno: EIO))
    }

    @Test func anEmptyBlobIsABlob() throws {
        let registry = try FakeRegistry()
        defer { registry.stop() }
        let blob = Descriptor(mediaType: .layer(.none), digest: Digest(of: "".utf8), size: 0)
        let file = try TemporaryFile()
        defer { withExtendedLifetime(file) {} }
        let outcome = try RegistryClient(quickly()).push(
            blob,
            from: file.descriptor,
            to: registry.name("a"),
            mountableFrom: [],
            onProgress: { _ in }
        )
        #expect(outcome == .uploaded)
        #expect(registry.requests.last?.value(of: "Content-Length") == "0")
    }

    @Test(arguments: [
        (status(202), RegistryError.Reason.malformed("an upload without Location")),
        (status(202, ["Location: file:///etc/passwd"]), .refusedRedirect(to: "file:///etc/passwd")),
        (refusal(403, "DENIED", "no"), .denied(hadCredentials: false, said: "DENIED: no")),
        (refusal(405, "UNSUPPORTED", "read-only"), .status(405, said: "UNSUPPORTED: read-only")),
    ])
    func aRegistryThatBeginsNoUploadIsAnError(answer: String, expected: RegistryError.Reason) throws {
        let registry = try FakeRegistry { $0.method == "POST" ? answer : nil }
        defer { registry.stop() }
        let error = #expect(throws: RegistryError.self) { try push(to: registry) }
        #expect(error?.reason == expected)
    }

    @Test func aManifestIsPutUnderItsTagOrDigest() throws {
        let registry = try FakeRegistry()
        defer { registry.stop() }
        let client = RegistryClient(quickly())
        let bytes = Array("{\"schemaVersion\":2}".utf8)
        let digest = try client.pushManifest(bytes, mediaType: .dockerManifest, to: registry.name("a", ":v1"))
        #expect(digest == Digest(of: bytes))
        _ = try client.pushManifest(bytes, mediaType: .index, to: registry.name("a", "@\(digest)"))
        #expect(registry.lines == ["PUT /v2/a/manifests/v1", "PUT /v2/a/manifests/\(digest)"])
        #expect(registry.requests.first?.value(of: "Content-Type") == MediaType.dockerManifest.rawValue)
        #expect(registry.requests.first?.body == bytes)
    }

    @Test func aRegistryThatKeepsAnotherManifestIsNotBelieved() throws {
        let other = Digest(of: "other".utf8)
        let registry = try FakeRegistry { _ in status(201, ["Docker-Content-Digest: \(other)"]) }
        defer { registry.stop() }
        let error = #expect(throws: RegistryError.self) {
            try RegistryClient(quickly()).pushManifest([], mediaType: .manifest, to: registry.name("a", ":v1"))
        }
        #expect(error?.reason == .wrongDigest(expected: Digest(of: "".utf8), actual: other))
    }
}
