import Glibc
import OCI
import Synchronization
import Testing

@testable import Registry

/// Uploads that fail midway: what the registry has of them is not sent again.
@Suite struct UploadResumeTests {
    private static let content = "0123456789"
    private static let digest = Digest(of: content.utf8)
    private static let blob = Descriptor(mediaType: .layer(.gzip), digest: digest, size: 10)

    /// What was sent, after the question whether the blob is there.
    private func push(
        to registry: FakeRegistry,
        pieces: Int64? = nil,
        interruptions: [Int]
    ) throws -> [LoopbackServer.Request] {
        registry.state.withLock { $0.interruptions = interruptions }
        let file = try TemporaryFile()
        defer { withExtendedLifetime(file) {} }
        _ = write(file.descriptor, Self.content, 10)
        let outcome = try RegistryClient(quickly { $0.uploadChunkSize = pieces }).push(
            Self.blob,
            from: file.descriptor,
            to: registry.name("a/b"),
            mountableFrom: [],
            onProgress: { _ in }
        )
        #expect(outcome == .uploaded)
        let kept = registry.state.withLock { $0.blobs["\(Self.digest)"] }
        #expect(kept.map { String(decoding: $0, as: UTF8.self) } == Self.content)
        return Array(registry.requests.dropFirst())
    }

    private func ranges(_ requests: [LoopbackServer.Request]) -> [String?] {
        requests.filter { $0.method == "PATCH" }.map { $0.value(of: "Content-Range") }
    }

    @Test func anUploadInOneGoesOnWhereItEnded() throws {
        let registry = try FakeRegistry()
        defer { registry.stop() }
        let sent = try push(to: registry, interruptions: [5])
        #expect(sent.map(\.method) == ["POST", "PUT", "GET", "PATCH", "PUT"])
        #expect(ranges(sent) == ["5-9"])
        // The registry's answer names the place to go on at.
        #expect(sent[3].path == "/v2/x/blobs/uploads/1?state=5")
    }

    @Test func anUploadInPiecesGoesOnWithinAPiece() throws {
        let registry = try FakeRegistry()
        defer { registry.stop() }
        let sent = try push(to: registry, pieces: 4, interruptions: [4, 2])
        #expect(sent.filter { $0.method == "POST" }.count == 1)
        #expect(ranges(sent) == ["0-3", "4-7", "6-9"])
    }

    @Test func aRegistryThatHasAllIsOnlyToldTheDigest() throws {
        let registry = try FakeRegistry()
        defer { registry.stop() }
        let sent = try push(to: registry, interruptions: [10])
        #expect(sent.map(\.method) == ["POST", "PUT", "GET", "PUT"])
    }

    @Test func whatARegistryHasNothingOfIsBegunAnewAndGivenBack() throws {
        let registry = try FakeRegistry()
        defer { registry.stop() }
        let sent = try push(to: registry, interruptions: [0])
        #expect(sent.map(\.method) == ["POST", "PUT", "GET", "DELETE", "POST", "PUT"])
        #expect(registry.state.withLock { $0.uploads.isEmpty })
    }

    @Test(arguments: [status(405), status(404), status(204), status(204, ["Range: 0-99"]), status(204, ["Range: x"])])
    func aRegistryThatDoesNotSayHowFarItIsGetsAllOfItAgain(answer: String) throws {
        let registry = try FakeRegistry { request in
            request.method == "GET" && request.path.contains("/uploads/") ? answer : nil
        }
        defer { registry.stop() }
        let sent = try push(to: registry, interruptions: [5])
        #expect(sent.filter { $0.method == "POST" }.count == 2)
        #expect(sent.last?.body == Array(Self.content.utf8))
    }

    @Test func whatWasPutTogetherWronglyIsSentAsAWhole() throws {
        // It says that it has five bytes, and has lost them.
        let registry = try FakeRegistry { request in
            request.method == "GET" && request.path.contains("/uploads/") ? status(204, ["Range: 0-4"]) : nil
        }
        defer { registry.stop() }
        let sent = try push(to: registry, interruptions: [0])
        #expect(ranges(sent) == ["5-9"])
        #expect(sent.filter { $0.method == "POST" }.count == 2)
    }

    @Test func aRegistryThatRefusesTheRestGetsAllOfItAgain() throws {
        let registry = try FakeRegistry { $0.method == "PATCH" ? status(416) : nil }
        defer { registry.stop() }
        let sent = try push(to: registry, interruptions: [5])
        #expect(sent.map(\.method) == ["POST", "PUT", "GET", "PATCH", "DELETE", "POST", "PUT"])
    }

    @Test func aRegistryThatAlwaysBreaksOffIsGivenUp() throws {
        let registry = try FakeRegistry()
        defer { registry.stop() }
        #expect(throws: RegistryError.self) {
            try push(to: registry, interruptions: Array(repeating: 0, count: 100))
        }
        #expect(registry.requests.count < 20)
    }
}
