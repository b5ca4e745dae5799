import Glibc
import OCI
import Store
import Testing

@testable import Builder

@Suite struct ImageIndexTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        try scratch.write("a", to: "context/a")
    }

    private func store() throws -> Store { try Store(root: "\(scratch.path)/root") }

    private func build(_ name: String, for platform: String) async throws {
        _ = try await scratch.build("FROM scratch\nCOPY a /a\nLABEL l=\(name)\n") { request in
            request.tags = [try ImageReference(parsing: name)]
            request.platform = try BuildRequest.platform(parsing: platform)
            request.platformIsGiven = true
        }
    }

    private func name(_ text: String) throws -> ImageReference { try ImageReference(parsing: text) }

    @Test func anIndexGivesTheImageOfEachPlatform() async throws {
        try await build("one:amd", for: "linux/amd64")
        try await build("one:arm", for: "linux/arm/v7")
        let images = StoredImages(store: try store())
        let index = try images.makeIndex(of: ["one:amd", "one:arm"], as: [name("one:all")])
        #expect(index.mediaType == .index)
        let platforms = [Platform(os: "linux", architecture: "amd64"), try #require(Platform(parsing: "linux/arm/v7"))]
        for (platform, label) in zip(platforms, ["one:amd", "one:arm"]) {
            let item = try images.find("one:all", platform: platform)
            #expect(item.config.runtime.labels["l"] == label)
            #expect(item.index?.manifests.map(\.platform) == platforms)
            #expect(item.descriptor.digest == index.digest)
        }
        let listed = try #require(try images.list().first { $0.name == "one:all" })
        #expect(listed.platforms == platforms)
        let other = try #require(Platform(parsing: "linux/s390x"))
        #expect(throws: ImageNotFound.self) { try images.find("one:all", platform: other) }
    }

    @Test func anIndexOfAnIndexHasWhatThatOneNames() async throws {
        try await build("one:amd", for: "linux/amd64")
        try await build("one:arm", for: "linux/arm64")
        let images = StoredImages(store: try store())
        let inner = try images.makeIndex(of: ["one:amd"], as: [name("one:inner")])
        let outer = try images.makeIndex(of: ["one:inner", "one:arm", "one:arm"], as: [name("one:outer")])
        let document = try ImageIndex(parsing: store().images.document(outer), as: "index")
        #expect(document.manifests.count == 2)
        #expect(!document.manifests.contains { $0.digest == inner.digest })
        #expect(document.manifests.allSatisfy { $0.annotations[ImageLayout.referenceName] == nil })
    }

    @Test func twoImagesForOnePlatformAreAnError() async throws {
        try await build("one:1", for: "linux/amd64")
        try await build("two:1", for: "linux/amd64")
        let images = StoredImages(store: try store())
        let error = #expect(throws: IndexError.self) { try images.makeIndex(of: ["one:1", "two:1"], as: []) }
        #expect(error?.description.contains("one:1 and two:1 are both for linux/amd64") == true)
    }

    @Test func whatAnIndexNamesAndIsNotHereIsNoDamage() async throws {
        try await build("one:1", for: "linux/amd64")
        let store = try store()
        let images = StoredImages(store: store)
        var here = try images.entry("one:1")
        here.annotations = [:]
        let elsewhere = Descriptor(
            mediaType: .manifest,
            digest: Digest(of: "elsewhere".utf8),
            size: 9,
            platform: Platform(os: "linux", architecture: "arm64")
        )
        let index = try store.images.write(ImageIndex(manifests: [elsewhere, here]).json.encoded(), as: .index)
        try store.images.tag(index, as: "all:1")
        let platforms = [here.platform].compactMap(\.self)
        #expect(try images.list().map(\.platforms) == [platforms, platforms])
        #expect(try images.find("all:1", platform: Platform(os: "linux", architecture: "amd64")).index != nil)
        #expect(try ImageTree(index, in: store.images).missing.map(\.digest) == [elsewhere.digest])
        #expect(try store.prune(keepingSeconds: nil) >= 0)
        #expect(try images.find("all:1").manifest.layers.allSatisfy(store.images.hasBlob))
    }

    @Test func indexesThatNestWithoutEndAreRefused() throws {
        let store = try store()
        var entry = try store.images.write(ImageIndex().json.encoded(), as: .index)
        for _ in 0..<ImageTree.deepest {
            entry = try store.images.write(ImageIndex(manifests: [entry]).json.encoded(), as: .index)
        }
        let top = entry
        #expect(throws: ImageNotFound.self) { try ImageTree(top, in: store.images) }
    }

    @Test func anImageWithoutItsManifestIsNamedAndKeepsTheOthersFromNothing() async throws {
        try await build("good:1", for: "linux/amd64")
        try await build("bad:1", for: "linux/amd64")
        let store = try store()
        let images = StoredImages(store: store)
        let bad = try images.entry("bad:1")
        unlink(store.images.blobPath(bad.digest))
        let listed = try images.list()
        #expect(listed.map(\.name) == ["bad:1", "good:1"])
        #expect(listed.map(\.isIncomplete) == [true, false])
        let error = #expect(throws: StoreError.self) { try store.prune(keepingSeconds: nil) }
        #expect(error?.description.contains("swbuild rm bad:1") == true)
        try images.remove("bad:1")
        _ = try store.prune(keepingSeconds: nil)
        #expect(try images.find("good:1").manifest.layers.allSatisfy(store.images.hasBlob))
    }
}
