import Glibc
import LayerDiff
import OCI
import Store
import Testing

@testable import Builder

/// What whole builds write: configuration, times, outputs.
@Suite struct ImageTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        try scratch.write("a", to: "context/a")
        try scratch.write("b", to: "context/d/b", mode: 0o755)
        try scratch.link("context/d/l", to: "b")
    }

    static let file = "FROM scratch\nLABEL l=1\nCOPY a /new/a\nWORKDIR /w\nCOPY d .\nCMD [\"/w/b\"]\n"

    /// reproducible-builds.org: with SOURCE_DATE_EPOCH the same input gives the same image anywhere, at any time.
    @Test func theEpochGivesTheSameDigestFromTwoRoots() async throws {
        let one = try await scratch.build(Self.file) { $0.sourceDateEpoch = "1000000000" }
        try scratch.setTime(1_500_000_000, of: "context/a")
        try scratch.setTime(1_400_000_000, of: "context/d")
        let two = try await scratch.build(Self.file, root: "other") { $0.sourceDateEpoch = "1000000000" }
        #expect(one.digest == two.digest)
        #expect(two.ran.count == 3)
        let later = try await scratch.build(Self.file, root: "other") { $0.sourceDateEpoch = "1000000001" }
        #expect(later.ran == [], "times are in no key")
        #expect(later.digest != one.digest)
    }

    @Test func theEpochIsEveryTime() async throws {
        let built = try await scratch.build(Self.file) { $0.sourceDateEpoch = "1000000000" }
        let time = "2001-09-09T01:46:40Z"
        #expect(built.result.image.config.created == time)
        #expect(built.history.map(\.created) == Array(repeating: time, count: 5))
        #expect(built.result.image.manifest.annotations["org.opencontainers.image.created"] == time)
        let store = try Store(root: "\(scratch.path)/root")
        for diffID in built.diffIDs {
            let times = try store.index(of: diffID).entries.map(\.modified)
            #expect(times.allSatisfy { $0 <= 1_000_000_000 })
        }
    }

    @Test func withoutAnEpochFilesKeepTheirTimesAndTheImageHasItsStepsTimes() async throws {
        let built = try await scratch.build(Self.file)
        let store = try Store(root: "\(scratch.path)/root")
        let entry = try store.stack(built.diffIDs).lookup(ContainerPath("new/a"))?.entry
        #expect(entry?.modified == 1_600_000_000)
        #expect(built.history.map(\.isEmptyLayer) == [true, false, false, false, true])
        #expect(built.history.allSatisfy { $0.created != nil })
        #expect(built.result.image.config.created == built.history.last?.created)
    }

    /// image-spec 1.1, config.md: one history line with a layer for each diff_id, and layers as many as diff_ids.
    @Test func documentsAgreeWithEachOther() async throws {
        let built = try await scratch.build(Self.file) { request in
            request.tags = [try ImageReference(parsing: "name:1"), try ImageReference(parsing: "other")]
            request.annotations = [("k", "v")]
            request.labels = [("m", "2")]
        }
        let layout = try ImageLayout(opening: "\(scratch.path)/root/images")
        for name in ["name:1", "other:latest"] {
            let image = try layout.resolve(exactTag: name, digest: nil, platform: .host)
            #expect(image.descriptor.digest == built.digest)
            #expect(image.manifest.layers.count == image.config.diffIDs.count)
            #expect(image.config.history.count { !$0.isEmptyLayer } == image.config.diffIDs.count)
            #expect(image.manifest.annotations["k"] == "v")
            #expect(image.config.runtime.labels == ["l": "1", "m": "2"])
            #expect(image.config.runtime.command == ["/w/b"])
            for (layer, diffID) in zip(image.manifest.layers, image.config.diffIDs) {
                let blob = try HostFile.read(layout.blobPath(layer.digest), limit: 1 << 20)
                #expect(Digest(of: blob) == layer.digest && Int64(blob.count) == layer.size)
                #expect(try Store(root: "\(scratch.path)/root").index(of: diffID).isSelfContained)
            }
        }
    }

    @Test func theTreeIsWhatTheFileSays() async throws {
        let built = try await scratch.build(Self.file)
        let stack = try Store(root: "\(scratch.path)/root").stack(built.diffIDs)
        let lines = stack.flattened().filter { !$0.entry.path.isRoot }.map(\.entry.line)
        #expect(
            lines == [
                "d 755 0:0 /new", "- 644 0:0 /new/a", "d 755 0:0 /w", "- 755 0:0 /w/b", "l(b) 777 0:0 /w/l",
            ]
        )
    }

    @Test func anImageIsTheBaseOfTheNext() async throws {
        let base = try await scratch.build(Self.file) { $0.tags = [try ImageReference(parsing: "base:1")] }
        let next = try await scratch.build("FROM base:1\nCOPY a /w/c\n")
        #expect(next.ran == ["COPY a /w/c"])
        #expect(next.diffIDs.dropLast() == base.diffIDs[...])
        #expect(next.history.dropLast() == base.history[...])
        let missing = await #expect(throws: BuildError.self) { try await scratch.build("FROM base:2\n") }
        #expect(missing.map { "\($0)" }?.contains("base:2") == true)
    }

    // MARK: Outputs

    @Test func aLayoutOnDiskIsTheSameImage() async throws {
        let built = try await scratch.build(Self.file) { request in
            request.tags = [try ImageReference(parsing: "name:1")]
            request.outputs = [OutputSpec(kind: .oci(tar: false), destination: "\(scratch.path)/out")]
        }
        let image = try ImageLayout(opening: "\(scratch.path)/out").resolve(tag: "1", digest: nil, platform: .host)
        #expect(image.descriptor.digest == built.digest)
        let entry = image.descriptor
        #expect(entry.annotations["io.containerd.image.name"] == "docker.io/library/name:1")
        let next = try await scratch.build("FROM there\nCOPY a /z\n", root: "other") { request in
            request.namedContexts = [
                NamedContext(name: "there", source: .layout(path: "\(scratch.path)/out", tag: "1", digest: nil))
            ]
        }
        #expect(next.diffIDs.dropLast() == built.diffIDs[...])
    }

    @Test func aDirectoryHoldsTheFiles() async throws {
        _ = try await scratch.build(Self.file) { request in
            request.outputs = [OutputSpec(kind: .local, destination: "\(scratch.path)/tree")]
        }
        #expect(try scratch.text("tree/new/a") == "a")
        #expect(try scratch.text("tree/w/l") == "b")
        var status = stat()
        #expect(stat("\(scratch.path)/tree/w/b", &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o755)
    }

    @Test func otherCompressionsAreOfTheSameLayers() async throws {
        let gzip = try await scratch.build(Self.file)
        let zstd = try await scratch.build(Self.file) { request in
            request.outputs = [
                OutputSpec(kind: .oci(tar: false), destination: "\(scratch.path)/out", compression: .zstd)
            ]
        }
        #expect(zstd.ran == [])
        #expect(zstd.diffIDs == gzip.diffIDs)
        #expect(zstd.result.image.manifest.layers.allSatisfy { $0.mediaType == .layer(.zstd) })
        #expect(gzip.result.image.manifest.layers.allSatisfy { $0.mediaType == .layer(.gzip) })
    }

    @Test func aMalformedEpochFailsTheBuild() async throws {
        await #expect(throws: BuildError.self) { try await scratch.build(Self.file) { $0.sourceDateEpoch = "soon" } }
    }
}
