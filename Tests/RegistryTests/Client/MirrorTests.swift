import OCI
import Synchronization
import Testing

@testable import Registry

@Suite struct MirrorTests {
    private static let manifest = "{\"schemaVersion\":2,\"config\":{},\"layers\":[]}"

    private func configuration(_ text: String) throws -> RegistryConfiguration {
        let rules = try RegistryRule.all(
            in: TOMLDocument(parsing: Array(text.utf8), path: "registries.conf"),
            path: "registries.conf"
        )
        return quickly { $0.rules = rules }
    }

    private func configuration(
        for registry: FakeRegistry,
        _ mirrors: [String],
        _ more: String = ""
    ) throws
        -> RegistryConfiguration
    {
        let tables = mirrors.map { "[[registry.mirror]]\nlocation = \"\($0)\"\n\(more)\n" }
        return try configuration(
            "[[registry]]\nprefix = \"example.com/team\"\nlocation = \"\(registry.host)/real\"\n" + tables.joined()
        )
    }

    @Test func mirrorsAreAskedInOrderAndThenTheRegistry() throws {
        let first = try FakeRegistry { _ in refusal(404, "UNKNOWN", "not here") }
        let second = try FakeRegistry()
        let registry = try FakeRegistry()
        defer { for server in [first, second, registry] { server.stop() } }
        second.addManifest(Self.manifest, tag: "v1")
        let blob = second.addBlob("content")
        let settings = try configuration(for: registry, [first.host, "\(second.host)/proxy"])
        let client = RegistryClient(settings)
        let name = try ImageReference(parsing: "example.com/team/app:v1")
        _ = try client.manifest(name)
        #expect(first.lines == ["GET /v2/app/manifests/v1"])
        #expect(second.lines == ["GET /v2/proxy/app/manifests/v1"])
        #expect(registry.lines.isEmpty)
        // Who did not have the manifest is not asked for its blobs.
        #expect(try client.blob(blob, of: name, limit: 100) == Array("content".utf8))
        #expect(first.lines.count == 1)
    }

    @Test func aMirrorThatBreaksOffIsReplaced() throws {
        let mirror = try FakeRegistry { _ in status(200, length: 10) + "01234" }
        let registry = try FakeRegistry()
        defer { for server in [mirror, registry] { server.stop() } }
        let blob = registry.addBlob("0123456789")
        let sink = RecordingSink()
        let client = RegistryClient(try configuration(for: registry, [mirror.host]))
        try client.fetch(blob, of: ImageReference(parsing: "example.com/team/app"), into: sink)
        #expect(sink.text == "0123456789")
        #expect(registry.requests.map { $0.value(of: "Range") } == ["bytes=5-"])
    }

    @Test func aMirrorThatLiesAboutASmallBlobIsReplaced() throws {
        let mirror = try FakeRegistry { _ in ok("attacker") }
        let registry = try FakeRegistry()
        defer { for server in [mirror, registry] { server.stop() } }
        let blob = registry.addBlob("honestly")
        let client = RegistryClient(try configuration(for: registry, [mirror.host]))
        let bytes = try client.blob(blob, of: ImageReference(parsing: "example.com/team/app"), limit: 100)
        #expect(bytes == Array("honestly".utf8))
    }

    @Test func aMirrorThatLiesAboutALargeBlobCanBeDistrusted() throws {
        let mirror = try FakeRegistry { _ in ok("attacker") }
        let registry = try FakeRegistry()
        defer { for server in [mirror, registry] { server.stop() } }
        let blob = registry.addBlob("honestly")
        let warnings = Mutex<[String]>([])
        var settings = try configuration(for: registry, [mirror.host])
        settings.warn = { warning in warnings.withLock { $0.append(warning) } }
        let client = RegistryClient(settings)
        let name = try ImageReference(parsing: "example.com/team/app")
        let wrong = RecordingSink()
        let mirrors = try client.fetch(blob, of: name, into: wrong)
        #expect(wrong.text == "attacker")
        #expect(client.distrust(mirrors, for: "it lied"))
        #expect(warnings.withLock { $0 } == ["the mirror \(mirror.host) is not asked any more: it lied"])
        let right = RecordingSink()
        // Nobody is left to be blamed: the registry itself has answered.
        #expect(try !client.distrust(client.fetch(blob, of: name, into: right), for: "it lied"))
        #expect(right.text == "honestly")
        #expect(mirror.requests.count == 1)
    }

    @Test func aMirrorForDigestsIsAskedAfterATagThatTheRegistryHad() throws {
        let mirror = try FakeRegistry()
        let registry = try FakeRegistry()
        defer { for server in [mirror, registry] { server.stop() } }
        let digest = registry.addManifest(Self.manifest, tag: "v1")
        mirror.addManifest(Self.manifest, tag: "v1")
        let settings = try configuration(for: registry, [mirror.host], "pull-from-mirror = \"digest-only\"")
        let client = RegistryClient(settings)
        _ = try client.manifest(ImageReference(parsing: "example.com/team/app:v1"))
        _ = try client.manifest(ImageReference(parsing: "example.com/team/app@\(digest)"))
        #expect(registry.requests.count == 1)
        #expect(mirror.requests.count == 1)
    }

    @Test func whatAnIndexNamesComesFromWhereTheIndexWas() throws {
        let mirror = try FakeRegistry()
        let registry = try FakeRegistry()
        defer { for server in [mirror, registry] { server.stop() } }
        let digest = mirror.addManifest(Self.manifest, tag: "v1")
        let settings = try configuration(for: registry, [mirror.host], "pull-from-mirror = \"tag-only\"")
        let client = RegistryClient(settings)
        let name = try ImageReference(parsing: "example.com/team/app:v1")
        _ = try client.manifest(ImageReference(parsing: "example.com/team/app@\(digest)"), of: name)
        #expect(mirror.requests.count == 1)
        #expect(registry.requests.isEmpty)
    }

    @Test func whatAMirrorHasIsNotAtTheRegistryYet() throws {
        let mirror = try FakeRegistry()
        let registry = try FakeRegistry()
        defer { for server in [mirror, registry] { server.stop() } }
        let digest = mirror.addManifest(Self.manifest, tag: "v1")
        let client = RegistryClient(try configuration(for: registry, [mirror.host]))
        let name = try ImageReference(parsing: "example.com/team/app:v1")
        #expect(try !client.hasManifest(digest, in: name))
        registry.addManifest(Self.manifest, tag: "v1")
        #expect(try client.hasManifest(digest, in: name))
        #expect(mirror.requests.isEmpty)
    }

    @Test func pushesGoToTheRegistryItself() throws {
        let mirror = try FakeRegistry()
        let registry = try FakeRegistry()
        defer { for server in [mirror, registry] { server.stop() } }
        let client = RegistryClient(try configuration(for: registry, [mirror.host]))
        let name = try ImageReference(parsing: "example.com/team/app:v1")
        _ = try client.pushManifest(Array(Self.manifest.utf8), mediaType: .manifest, to: name)
        #expect(registry.lines == ["PUT /v2/real/app/manifests/v1"])
        #expect(mirror.lines.isEmpty)
    }

    @Test func whatMirrorsSaidIsToldAtTheEnd() throws {
        let mirror = try FakeRegistry { _ in refusal(403, "DENIED", "not for you") }
        let registry = try FakeRegistry()
        defer { for server in [mirror, registry] { server.stop() } }
        let client = RegistryClient(try configuration(for: registry, [mirror.host]))
        let error = #expect(throws: RegistryError.self) {
            try client.manifest(ImageReference(parsing: "example.com/team/app:v1"))
        }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains("MANIFEST_UNKNOWN"))
        #expect(text.contains("not for you"))
        #expect(text.contains("example.com/team/app:v1"))
    }

    @Test(arguments: [
        ("pull-from-mirror = \"digest-only\"", false, true), ("pull-from-mirror = \"tag-only\"", true, false),
        ("mirror-by-digest-only = true", false, true), ("pull-from-mirror = \"all\"", true, true),
    ])
    func mirrorsMayBeForTagsOrDigestsOnly(line: String, byTag: Bool, byDigest: Bool) throws {
        for (suffix, isAsked) in [(":v1", byTag), ("@\(Digest(of: Self.manifest.utf8))", byDigest)] {
            let mirror = try FakeRegistry()
            let registry = try FakeRegistry()
            defer { for server in [mirror, registry] { server.stop() } }
            registry.addManifest(Self.manifest, tag: "v1")
            mirror.addManifest(Self.manifest, tag: "v1")
            let client = RegistryClient(try configuration(for: registry, [mirror.host], line))
            _ = try client.manifest(ImageReference(parsing: "example.com/team/app\(suffix)"))
            #expect(mirror.requests.isEmpty != isAsked)
        }
    }

    @Test func aBlockedRegistryIsNotAsked() throws {
        let client = RegistryClient(try configuration("[[registry]]\nprefix = \"*.example.com\"\nblocked = true\n"))
        let error = #expect(throws: RegistryError.self) {
            try client.manifest(ImageReference(parsing: "a.b.example.com/app"))
        }
        #expect(error?.reason == .blocked)
    }

    @Test(arguments: [
        ("example.com", "example.com/a", true), ("example.com", "example.com:5000/a", false),
        ("example.com", "example.community/a", false), ("example.com/a", "example.com/ab", false),
        ("example.com/a", "example.com/a", true), ("example.com/a", "example.com/a/b", true),
        ("*.example.com", "example.com/a", false), ("*.example.com", "x.example.com:5000/a", true),
        ("*.example.com", "xexample.com/a", false), ("docker.io", "busybox", true),
        ("docker.io/library", "busybox", true), ("docker.io/library", "me/busybox", false),
    ])
    func prefixesEndWhereNamesDo(prefix: String, name: String, matches: Bool) throws {
        let rule = RegistryRule(prefix: prefix, location: prefix)
        #expect((rule.match(try ImageReference(parsing: name)) != nil) == matches)
    }

    @Test func theLongestPrefixCounts() throws {
        let registry = try FakeRegistry()
        defer { registry.stop() }
        registry.addManifest(Self.manifest, tag: "latest")
        let client = RegistryClient(
            try configuration(
                """
                [[registry]]
                prefix = "example.com"
                blocked = true
                [[registry]]
                prefix = "example.com/good"
                location = "\(registry.host)"
                """
            )
        )
        _ = try client.manifest(ImageReference(parsing: "example.com/good/app"))
        #expect(registry.lines == ["GET /v2/app/manifests/latest"])
    }
}
