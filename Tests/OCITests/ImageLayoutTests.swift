import Glibc
import OCI
import Testing

@Suite struct ImageLayoutTests {
    let scratch: Scratch
    let layout: ImageLayout
    static let amd64 = Platform(os: "linux", architecture: "amd64")
    static let arm64 = Platform(os: "linux", architecture: "arm64")

    init() throws {
        scratch = try Scratch()
        layout = try ImageLayout(creating: "\(scratch.path)/layout")
    }

    /// Writes an image without layers, told apart by its label.
    private func image(_ name: String, platform: Platform = amd64) throws -> Descriptor {
        var config = ImageConfig(platform: platform)
        config.runtime.labels = ["name": name]
        let configuration = try layout.write(config.json.encoded(), as: .config)
        let manifest = ImageManifest(config: configuration, layers: [])
        return try layout.write(manifest.json.encoded(), as: .manifest)
    }

    private func index(_ entries: [Descriptor]) throws -> Descriptor {
        try layout.write(ImageIndex(manifests: entries).json.encoded(), as: .index)
    }

    private func on(_ platform: Platform?, _ entry: Descriptor) -> Descriptor {
        var entry = entry
        entry.platform = platform
        return entry
    }

    private func found(_ tag: String?, _ platform: Platform = amd64, digest: Digest? = nil) throws -> String? {
        try layout.resolve(tag: tag, digest: digest, platform: platform).config.runtime.labels["name"]
    }

    @Test func beginsAnEmptyLayoutThatOthersCanRead() throws {
        #expect(scratch.names("layout") == ["blobs", "index.json", "oci-layout"])
        let marker = try HostFile.read("\(layout.path)/oci-layout", limit: 100)
        #expect(marker == Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8))
        #expect(try ImageLayout(opening: layout.path).index().manifests == [])
    }

    @Test func creatingKeepsWhatIsThere() throws {
        try layout.tag(try image("a"), as: "a")
        #expect(try ImageLayout(creating: layout.path).index().manifests.count == 1)
    }

    @Test func opensOnlyLayouts() throws {
        let none = #expect(throws: HostFileError.self) { try ImageLayout(opening: scratch.path) }
        #expect(none?.description.contains("oci-layout") == true)
        try HostFile.write(Array(#"{"imageLayoutVersion":"2.0.0"}"#.utf8), to: "\(layout.path)/oci-layout")
        let newer = #expect(throws: DocumentError.self) { try ImageLayout(opening: layout.path) }
        #expect(newer?.description.contains("not supported") == true)
    }

    @Test func aTagMoves() throws {
        let (first, second) = (try image("first"), try image("second"))
        try layout.tag(first, as: "repo:1")
        try layout.tag(second, as: "repo:2")
        try layout.tag(second, as: "repo:1")
        #expect(try layout.index().manifests.count == 2)
        #expect(try found("repo:1") == "second")
        #expect(try found("2") == "second", "the tag alone will do")
        #expect(try found(nil, digest: second.digest) == "second")
    }

    @Test func missingTagsNameTheOnesThatAreThere() throws {
        let empty = #expect(throws: ImageNotFound.self) { try found("1") }
        #expect(empty?.description == "\(layout.path) has no image `1`: it names none")
        try layout.tag(try image("a"), as: "a:1")
        try layout.tag(try image("b"), as: "b:2")
        let error = #expect(throws: ImageNotFound.self) { try found("3") }
        #expect(error?.description == "\(layout.path) has no image `3`; it has a:1, b:2")
        let digest = Digest(of: [1])
        let other = #expect(throws: ImageNotFound.self) { try found(nil, digest: digest) }
        #expect(other?.description == "\(layout.path) has no image \(digest)")
    }

    @Test func latestIsTheOnlyImageOfALayoutWithoutNames() throws {
        let only = try image("only")
        try layout.updateIndex { $0.manifests = [only] }
        #expect(try found("latest") == "only")
        #expect(try found(nil) == "only")
        #expect(throws: ImageNotFound.self) { try found("1.0") }
    }

    @Test func exactNamesAreNotGuessed() throws {
        try layout.tag(try image("a"), as: "a:1")
        #expect(try layout.resolve(exactTag: "a:1", digest: nil, platform: Self.amd64).manifest.layers == [])
        #expect(throws: ImageNotFound.self) {
            try layout.resolve(exactTag: "1", digest: nil, platform: Self.amd64)
        }
    }

    @Test func selectsThePlatform() throws {
        let list = try index([
            on(Self.arm64, try image("arm64", platform: Self.arm64)), on(Self.amd64, try image("amd64")),
            on(Platform(os: "linux", architecture: "amd64", variant: "v3"), try image("v3")),
        ])
        try layout.tag(list, as: "m:1")
        #expect(try found("m:1") == "amd64")
        #expect(try found("m:1", Self.arm64) == "arm64")
        #expect(try found("m:1", Platform(os: "linux", architecture: "amd64", variant: "v3")) == "v3")
        let error = #expect(throws: ImageNotFound.self) {
            try found("m:1", Platform(os: "linux", architecture: "s390x"))
        }
        #expect(
            error?.description.hasSuffix("no image for linux/s390x; it has linux/arm64, linux/amd64, linux/amd64/v3")
                == true
        )
    }

    @Test func followsNestedIndexesButNotForever() throws {
        var entry = on(Self.amd64, try image("deep"))
        entry = try index([try index([entry])])
        try layout.tag(entry, as: "deep:1")
        #expect(try found("deep:1") == "deep")
        for _ in 0..<10 { entry = try index([entry]) }
        try layout.tag(entry, as: "deep:2")
        let error = #expect(throws: ImageNotFound.self) { try found("deep:2") }
        #expect(error?.description.contains("too deeply") == true)
    }

    /// As buildx writes them: a manifest for `unknown/unknown` beside each image.
    @Test func attestationsAreNoImages() throws {
        var attestation = on(Platform(os: "unknown", architecture: "unknown"), try image("attestation"))
        attestation.annotations["vnd.docker.reference.type"] = "attestation-manifest"
        var bare = attestation
        bare.platform = nil
        try layout.tag(try index([bare, attestation, on(Self.amd64, try image("image"))]), as: "a:1")
        #expect(try found("a:1") == "image")
        try layout.tag(try index([bare, attestation]), as: "a:2")
        #expect(throws: ImageNotFound.self) { try found("a:2") }
    }

    @Test func everyDocumentIsCheckedAgainstItsDescriptor() throws {
        let entry = try image("a")
        try layout.tag(entry, as: "a:1")
        let path = layout.blobPath(entry.digest)
        var bytes = try HostFile.read(path, limit: 1 << 20)
        bytes[0] ^= 1
        try HostFile.write(bytes, to: path)
        let corrupt = #expect(throws: BlobError.self) { try found("a:1") }
        #expect(corrupt?.description.contains("is corrupt: its content has the digest \(Digest(of: bytes))") == true)
        try HostFile.write(Array(bytes.dropLast()), to: path)
        let short = #expect(throws: BlobError.self) { try found("a:1") }
        #expect(short?.description.contains("has \(bytes.count - 1) bytes instead of \(bytes.count)") == true)
        unlink(path)
        let missing = #expect(throws: BlobError.self) { try found("a:1") }
        #expect(missing?.description.contains("is missing") == true)
        var huge = entry
        huge.size = Int64.max
        #expect(throws: BlobError.self) { try layout.document(huge) }
    }

    @Test func layersAndDiffIDsAreAsMany() throws {
        let config = try layout.write(ImageConfig(platform: Self.amd64).json.encoded(), as: .config)
        let manifest = ImageManifest(config: config, layers: [config])
        try layout.tag(try layout.write(manifest.json.encoded(), as: .manifest), as: "a:1")
        let error = #expect(throws: ImageNotFound.self) { try found("a:1") }
        #expect(error?.description.contains("has 1 layers, but its configuration lists 0 diff_ids") == true)
    }

    @Test func updatesFromSeveralThreadsLoseNothing() async throws {
        let entry = try image("a")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<24 {
                group.addTask { [layout] in try layout.tag(entry, as: "a:\(number)") }
            }
            try await group.waitForAll()
        }
        #expect(try layout.index().manifests.count == 24)
    }

    @Test func copiesBlobsThatAreWhatTheyShouldBe() throws {
        let target = try ImageLayout(creating: "\(scratch.path)/target")
        let temporary = "\(scratch.path)/temporary"
        let blob = try layout.write([UInt8](repeating: 3, count: 3 << 20), as: .config)
        #expect(layout.hasBlob(blob) && !target.hasBlob(blob))
        try layout.copy(blob, to: target, by: temporary)
        #expect(try target.document(blob) == layout.document(blob))
        #expect(scratch.names() == ["layout", "target"])
    }

    @Test func copiesNothingElse() throws {
        let target = try ImageLayout(creating: "\(scratch.path)/target")
        let temporary = "\(scratch.path)/temporary"
        let blob = try layout.write([1, 2, 3], as: .config)
        let damages: [(bytes: [UInt8], words: String)] = [
            ([1, 2, 4], "is corrupt"), ([1, 2, 3, 4], "bytes instead of"), ([1], "bytes instead of"),
        ]
        for (bytes, words) in damages {
            try HostFile.write(bytes, to: layout.blobPath(blob.digest))
            let error = #expect(throws: BlobError.self) { try layout.copy(blob, to: target, by: temporary) }
            #expect(error?.description.contains(words) == true)
        }
        unlink(layout.blobPath(blob.digest))
        let missing = #expect(throws: BlobError.self) { try layout.copy(blob, to: target, by: temporary) }
        #expect(missing?.description.contains("is missing") == true)
        #expect(scratch.names("target/blobs/sha256") == [])
        #expect(scratch.names() == ["layout", "target"])
    }

    @Test func aFailedChangeLeavesTheIndex() throws {
        try layout.tag(try image("a"), as: "a:1")
        #expect(throws: CancellationError.self) {
            try layout.updateIndex { index in
                index.manifests = []
                throw CancellationError()
            }
        }
        #expect(try layout.index().manifests.count == 1)
    }
}
