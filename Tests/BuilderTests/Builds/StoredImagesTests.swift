import OCI
import Store
import Testing

@testable import Builder

@Suite struct StoredImagesTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        try scratch.write("a", to: "context/a")
    }

    private func images() throws -> StoredImages { StoredImages(store: try Store(root: "\(scratch.path)/root")) }

    private func build(_ label: String, tags: [String]) async throws -> Built {
        try await scratch.build("FROM scratch\nCOPY a /a\nLABEL l=\(label)\n") { request in
            request.tags = try tags.map { try ImageReference(parsing: $0) }
        }
    }

    @Test func namesAndDigestsFindAnImage() async throws {
        let one = try await build("1", tags: ["one:1", "docker.io/library/two"])
        let two = try await build("2", tags: [])
        let images = try images()
        #expect(try images.list().map(\.name) == ["one:1", "two:latest", nil])
        for text in [
            "one:1", "docker.io/library/one:1", "two", one.digest.description, String(one.digest.hex.prefix(12)),
        ] {
            #expect(try images.find(text).descriptor.digest == one.digest, "\(text)")
        }
        #expect(try images.find(two.digest.hex).descriptor.digest == two.digest)
        let item = try images.find("one:1")
        let listed = try #require(try images.list().first)
        #expect(listed.size == item.manifest.config.size + item.manifest.layers.reduce(0) { $0 + $1.size })
        #expect(listed.created == item.config.created && listed.created != nil)
    }

    @Test func unknownImagesAreErrorsThatNameTheOthers() async throws {
        let empty = #expect(throws: UnknownImage.self) { try images().find("one") }
        #expect(empty?.description == "there is no image `one`: the store is empty")
        let built = try await build("1", tags: ["one:1"])
        let error = #expect(throws: UnknownImage.self) { try images().find("one:2") }
        #expect(error?.description == "there is no image `one:2`; there are one:1")
        #expect(throws: UnknownImage.self) { try images().find(String(built.digest.hex.prefix(3))) }
        #expect(throws: UnknownImage.self) { try images().find("") }
    }

    @Test func removingANameLeavesTheOthers() async throws {
        let built = try await build("1", tags: ["one:1", "two:2"])
        let images = try images()
        try images.remove("one:1")
        #expect(try images.list().map(\.name) == ["two:2"])
        try images.remove(built.digest.hex)
        #expect(try images.list().isEmpty)
    }

    @Test func aTagMovesToTheNewImage() async throws {
        let old = try await build("1", tags: ["one:1"])
        let new = try await build("2", tags: ["one:1"])
        #expect(old.digest != new.digest)
        #expect(try images().find("one:1").descriptor.digest == new.digest)
        #expect(try images().list().count == 1)
    }
}
