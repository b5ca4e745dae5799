import OCI
import Testing

@Suite struct DocumentsTests {
    static let digest = "sha256:" + String(repeating: "0", count: 64)

    private func json(_ text: String) throws -> JSONValue { try JSONValue(parsing: Array(text.utf8), as: "test") }

    /// image-spec 1.1, descriptor.md and image-index.md: all members survive, those that swbuild does not know too.
    @Test func descriptorsKeepWhatTheyDoNotKnow() throws {
        let before = try json(
            #"""
            {"mediaType":"t","digest":"\#(Self.digest)","size":5,"urls":["u"],"data":"eA==","artifactType":"a",
            "platform":{"os":"windows","architecture":"amd64","os.version":"10.0.1","os.features":["win32k"]},
            "annotations":{"k":"v"}}
            """#
        )
        let descriptor = try Descriptor(json: before, in: "test")
        #expect(descriptor.size == 5)
        #expect(descriptor.platform == Platform(os: "windows", architecture: "amd64"))
        #expect(descriptor.annotations == ["k": "v"])
        #expect(descriptor.json == before)
    }

    /// One that names no system is nothing to choose by, and stays.
    @Test func anIncompletePlatformIsKept() throws {
        let text = #"{"mediaType":"t","digest":"\#(Self.digest)","size":5,"platform":{"os":"linux"}}"#
        let descriptor = try Descriptor(json: json(text), in: "test")
        #expect(descriptor.platform == nil)
        #expect(try descriptor.json == json(text))
    }

    @Test func aChangedPlatformIsWritten() throws {
        let before = try json(
            #"""
            {"mediaType":"t","digest":"\#(Self.digest)","size":5,
            "platform":{"os":"linux","architecture":"arm","variant":"v6","os.version":"1"}}
            """#
        )
        var descriptor = try Descriptor(json: before, in: "test")
        descriptor.platform = Platform(os: "linux", architecture: "arm64")
        #expect(descriptor.json["platform"]?["architecture"]?.string == "arm64")
        #expect(descriptor.json["platform"]?["variant"] == nil)
        descriptor.platform = nil
        #expect(descriptor.json["platform"] == nil)
    }

    /// A variant that is no text once got lost when the descriptor was written.
    @Test(arguments: [#"{"x":{}}"#, "null", #""""#, "7"])
    func variantsThatAreNoneStayAsTheyWereRead(variant: String) throws {
        let text =
            #"{"mediaType":"t","digest":"\#(Self.digest)","size":5,"#
            + #""platform":{"os":"linux","architecture":"arm","variant":\#(variant)}}"#
        let json = try JSONValue(parsing: Array(text.utf8), as: "test")
        #expect(try Descriptor(json: json, in: "test").json == json)
    }

    @Test(arguments: [
        (#"{"digest":"D","size":1}"#, "mediaType"), (#"{"mediaType":"t","size":1}"#, "digest"),
        (#"{"mediaType":"t","digest":"D"}"#, "size"), (#"{"mediaType":"t","digest":"D","size":-1}"#, "size"),
        (#"{"mediaType":"t","digest":"D","size":"1"}"#, "size"),
        (#"{"mediaType":"t","digest":"D","size":1.5}"#, "size"),
        (#"{"mediaType":1,"digest":"D","size":1}"#, "mediaType"), ("[]", "descriptor"), ("null", "descriptor"),
    ])
    func descriptorsNameWhatIsMissing(text: String, member: String) throws {
        let json = try json(text.replacing("\"D\"", with: "\"\(Self.digest)\""))
        #expect(throws: DocumentError(document: "index x", problem: .missing(member))) {
            try Descriptor(json: json, in: "index x")
        }
    }

    /// The sizes of as many descriptors as a document holds can be added.
    @Test func descriptorsOfMoreThanSixteenTerabytesAreRefused() throws {
        let json = try json(#"{"mediaType":"t","digest":"\#(Self.digest)","size":17592186044417}"#)
        let error = #expect(throws: DocumentError.self) { try Descriptor(json: json, in: "index x") }
        #expect("\(error.map { "\($0)" } ?? "")".contains("17592186044417"))
    }

    @Test func descriptorsNameAMalformedDigest() throws {
        let json = try json(#"{"mediaType":"t","digest":"md5:1","size":1}"#)
        let error = #expect(throws: DocumentError.self) { try Descriptor(json: json, in: "manifest y") }
        #expect(error?.description == "manifest y: `digest` has the unusable value md5:1")
    }

    @Test func manifests() throws {
        let config = Descriptor(mediaType: .config, digest: try Digest(parsing: Self.digest), size: 2)
        let layer = Descriptor(mediaType: .layer(.gzip), digest: Digest(of: [1]), size: 3)
        let manifest = ImageManifest(config: config, layers: [layer, config], annotations: ["a": "b"])
        let bytes = try manifest.json.encoded()
        #expect(try ImageManifest(parsing: bytes, as: "test") == manifest)
        #expect(manifest.json["schemaVersion"]?.integer == 2)
        #expect(manifest.json["mediaType"]?.string == "application/vnd.oci.image.manifest.v1+json")
        for (text, member) in [(#"{"layers":[]}"#, "config"), (#"{"config":{}}"#, "layers"), ("[]", "config")] {
            #expect(throws: DocumentError(document: "m", problem: .missing(member))) {
                try ImageManifest(parsing: Array(text.utf8), as: "m")
            }
        }
    }

    @Test func indexesKeepWhatTheyDoNotKnow() throws {
        let text = #"""
            {"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","artifactType":"x",
            "manifests":[{"mediaType":"t","digest":"\#(Self.digest)","size":1}],
            "subject":{"mediaType":"t","digest":"\#(Self.digest)","size":1},"annotations":{"a":"b"}}
            """#
        let index = try ImageIndex(parsing: Array(text.utf8), as: "test")
        #expect(index.manifests.count == 1)
        #expect(index.json == (try json(text)))
        #expect(throws: DocumentError(document: "i", problem: .missing("manifests"))) {
            try ImageIndex(parsing: Array("{}".utf8), as: "i")
        }
    }

    @Test func mediaTypes() {
        #expect(MediaType.layer(.none).rawValue == "application/vnd.oci.image.layer.v1.tar")
        #expect(MediaType.layer(.gzip).rawValue == "application/vnd.oci.image.layer.v1.tar+gzip")
        #expect(MediaType.layer(.zstd).rawValue == "application/vnd.oci.image.layer.v1.tar+zstd")
        #expect(MediaType.dockerIndex.isIndex && MediaType.index.isIndex && !MediaType.manifest.isIndex)
        #expect(MediaType.dockerManifest.isManifest && MediaType.manifest.isManifest && !MediaType.index.isManifest)
    }
}
