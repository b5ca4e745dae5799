import OCI
import Synchronization
import Testing

@testable import Registry

@Suite struct PullTests {
    private static let manifest = "{\"schemaVersion\":2,\"config\":{},\"layers\":[]}"
    private static let index = "{\"schemaVersion\":2,\"manifests\":[]}"

    @Test func aManifestComesByTagAndByDigest() throws {
        let registry = try FakeRegistry()
        defer { registry.stop() }
        let digest = registry.addManifest(Self.manifest, tag: "v1")
        let client = RegistryClient(quickly())
        let byTag = try client.manifest(registry.name("a/b", ":v1"))
        #expect(byTag.bytes == Array(Self.manifest.utf8))
        #expect(byTag.descriptor == Descriptor(mediaType: .manifest, digest: digest, size: Int64(byTag.bytes.count)))
        #expect(try client.manifest(registry.name("a/b", "@\(digest)")) == byTag)
        // With both, the digest counts.
        #expect(try client.manifest(registry.name("a/b", ":gone@\(digest)")) == byTag)
        #expect(registry.lines.first == "GET /v2/a/b/manifests/v1")
        let accepted = registry.requests.first?.value(of: "Accept") ?? ""
        for type in [MediaType.manifest, .index, .dockerManifest, .dockerIndex] {
            #expect(accepted.contains(type.rawValue))
        }
    }

    @Test func aNameWithoutTagMeansLatest() throws {
        let registry = try FakeRegistry()
        defer { registry.stop() }
        registry.addManifest(Self.index, tag: "latest", type: .index)
        let manifest = try RegistryClient(quickly()).manifest(registry.name("a"))
        #expect(manifest.descriptor.mediaType == .index)
    }

    @Test func aTagIsLookedUpWithHEADAlone() throws {
        let registry = try FakeRegistry()
        defer { registry.stop() }
        let digest = registry.addManifest(Self.manifest, tag: "v1", type: .dockerManifest)
        let client = RegistryClient(quickly())
        let descriptor = try client.descriptor(of: registry.name("a/b", ":v1"))
        #expect(descriptor?.digest == digest)
        #expect(descriptor?.mediaType == .dockerManifest)
        #expect(descriptor?.size == Int64(Self.manifest.utf8.count))
        #expect(try client.descriptor(of: registry.name("a/b", ":v2")) == nil)
        #expect(registry.lines == ["HEAD /v2/a/b/manifests/v1", "HEAD /v2/a/b/manifests/v2"])
    }

    @Test(arguments: [405, 200])
    func whereHEADTellsTooLittleGETDoes(answer: Int) throws {
        let registry = try FakeRegistry { $0.method == "HEAD" ? status(answer) : nil }
        defer { registry.stop() }
        let digest = registry.addManifest(Self.manifest, tag: "v1")
        #expect(try RegistryClient(quickly()).descriptor(of: registry.name("a", ":v1"))?.digest == digest)
    }

    @Test func aBlobArrivesInTheSink() throws {
        let registry = try FakeRegistry()
        defer { registry.stop() }
        let blob = registry.addBlob("0123456789")
        let client = RegistryClient(quickly())
        let sink = RecordingSink()
        try client.fetch(blob, of: registry.name("a"), into: sink)
        #expect(sink.text == "0123456789")
        #expect(try client.blob(blob, of: registry.name("a"), limit: 10) == Array("0123456789".utf8))
        #expect(registry.lines.last == "GET /v2/a/blobs/\(blob.digest)")
    }

    @Test func whatIsThereIsNotAskedForAgain() throws {
        let registry = try FakeRegistry()
        defer { registry.stop() }
        let blob = registry.addBlob("0123456789")
        let client = RegistryClient(quickly())
        let sink = RecordingSink("01234")
        try client.fetch(blob, of: registry.name("a"), into: sink)
        #expect(sink.text == "0123456789")
        #expect(registry.requests.last?.value(of: "Range") == "bytes=5-")
        try client.fetch(blob, of: registry.name("a"), into: sink)
        #expect(registry.requests.count == 1)
    }

    @Test(arguments: [true, false])
    func aRegistryMayIgnoreRanges(refusesThem: Bool) throws {
        let registry = try FakeRegistry { request in
            guard refusesThem, request.value(of: "Range") != nil else { return refusesThem ? nil : ok("0123456789") }
            return status(416)
        }
        defer { registry.stop() }
        let blob = registry.addBlob("0123456789")
        let sink = RecordingSink("01234")
        try RegistryClient(quickly()).fetch(blob, of: registry.name("a"), into: sink)
        #expect(sink.text == "0123456789")
    }

    @Test func aBrokenConnectionIsTakenUp() throws {
        let isFirst = Atomic(true)
        let registry = try FakeRegistry { _ in
            guard isFirst.exchange(false, ordering: .relaxed) else { return nil }
            return status(200, length: 10) + "0123"
        }
        defer { registry.stop() }
        let blob = registry.addBlob("0123456789")
        let sink = RecordingSink()
        try RegistryClient(quickly()).fetch(blob, of: registry.name("a"), into: sink)
        #expect(sink.text == "0123456789")
        #expect(registry.requests.map { $0.value(of: "Range") } == [nil, "bytes=4-"])
    }

    @Test func aServerThatGivesPartsGivesAllInTheEnd() throws {
        let registry = try FakeRegistry { request in
            guard let range = request.value(of: "Range"), let first = Int(range.dropFirst(6).prefix { $0 != "-" })
            else { return nil }
            return status(206, ["Content-Range: bytes \(first)-\(first)/10"], length: 1) + "\(first)"
        }
        defer { registry.stop() }
        let blob = registry.addBlob("0123456789")
        let sink = RecordingSink("012")
        try RegistryClient(quickly()).fetch(blob, of: registry.name("a"), into: sink)
        #expect(sink.text == "0123456789")
    }

    @Test(arguments: [408, 429, 500, 502, 503, 504])
    func whatMayPassIsTriedAgain(code: Int) throws {
        let rest = Atomic(2)
        let registry = try FakeRegistry { _ in
            rest.subtract(1, ordering: .relaxed).newValue >= 0 ? status(code) : nil
        }
        defer { registry.stop() }
        registry.addManifest(Self.manifest, tag: "v1")
        _ = try RegistryClient(quickly()).manifest(registry.name("a", ":v1"))
        #expect(registry.requests.count == 3)
    }

    @Test(arguments: [(503, 3), (400, 1), (404, 1)])
    func attemptsAreBounded(code: Int, attempts: Int) throws {
        let registry = try FakeRegistry { _ in refusal(code, "CODE", "why it is so") }
        defer { registry.stop() }
        let error = #expect(throws: RegistryError.self) {
            try RegistryClient(quickly()).manifest(registry.name("a", ":v1"))
        }
        #expect(registry.requests.count == attempts)
        #expect("\(error.map(String.init(describing:)) ?? "")".contains("CODE: why it is so"))
    }

    @Test func aServerThatAsksForMorePatienceThanThereIsGetsNone() throws {
        let registry = try FakeRegistry { _ in status(429, ["Retry-After: 3600"]) }
        defer { registry.stop() }
        let error = #expect(throws: RegistryError.self) {
            try RegistryClient(quickly()).manifest(registry.name("a", ":v1"))
        }
        #expect(error?.reason == .status(429, said: ""))
        #expect(registry.requests.count == 1)
    }

    @Test func connectionsAreUsedAgain() throws {
        let registry = try FakeRegistry(keepsConnections: true)
        defer { registry.stop() }
        registry.addManifest(Self.manifest, tag: "v1")
        let blobs = (0..<20).map { registry.addBlob("blob \($0)") }
        let client = RegistryClient(quickly())
        _ = try client.manifest(registry.name("a", ":v1"))
        for blob in blobs { _ = try client.blob(blob, of: registry.name("a"), limit: 100) }
        #expect(registry.requests.count == 21)
        #expect(registry.connections == 1)
    }

    @Test func aCallerWhoWantsNoMoreIsHeard() throws {
        let registry = try FakeRegistry()
        defer { registry.stop() }
        let client = RegistryClient(quickly()) { true }
        let error = #expect(throws: RegistryError.self) { try client.manifest(registry.name("a", ":v1")) }
        #expect(error?.reason == .cancelled)
        #expect(registry.requests.isEmpty)
    }

    @Test func aSinkThatRefusesEndsIt() throws {
        let registry = try FakeRegistry()
        defer { registry.stop() }
        let blob = registry.addBlob("0123456789")
        let error = #expect(throws: RegistryError.self) {
            try RegistryClient(quickly()).fetch(blob, of: registry.name("a"), into: RecordingSink(limit: 4))
        }
        #expect(error?.reason == .stoppedBySink)
        #expect(registry.requests.count == 1)
    }
}
