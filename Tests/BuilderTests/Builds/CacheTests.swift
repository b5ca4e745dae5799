import Glibc
import LayerDiff
import OCI
import Store
import Testing

@testable import Builder

/// Whole builds without a sandbox: which steps run again after a change, and which do not.
@Suite struct CacheTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        try scratch.write("a", to: "context/a")
        try scratch.write("b", to: "context/b")
        try scratch.write("1", to: "context/d/one")
        try scratch.write("2", to: "context/d/two")
    }

    static let file = """
        FROM scratch AS base
        COPY a /a
        COPY d /d
        FROM base
        ENV X=1
        WORKDIR /w
        COPY --from=base /d/one /w/one
        COPY b /w/b
        """
    static let steps = ["COPY a /a", "COPY d /d", "WORKDIR /w", "COPY --from=base /d/one /w/one", "COPY b /w/b"]

    @Test func theSameInputHits() async throws {
        let first = try await scratch.build(Self.file)
        #expect(first.ran == Self.steps)
        let second = try await scratch.build(Self.file)
        #expect(second.ran == [])
        #expect(second.digest == first.digest)
        #expect(second.result.image.config.json == first.result.image.config.json)
    }

    enum Change: String, CaseIterable, Sendable {
        case firstFile, fileMode, addedFile, removedFile, sharedFile, lastFile, linkInstead
    }

    /// What runs again is the step that uses the change, and what stands on it; nothing else.
    @Test(
        arguments: [
            (.firstFile, [0, 1, 2, 3, 4]), (.fileMode, [0, 1, 2, 3, 4]), (.addedFile, [1, 2, 3, 4]),
            (.removedFile, [1, 2, 3, 4]), (.sharedFile, [1, 2, 3, 4]), (.lastFile, [4]), (.linkInstead, [4]),
        ] as [(Change, [Int])]
    )
    func oneChangeMissesFromTheStepThatUsesIt(change: Change, ran: [Int]) async throws {
        let first = try await scratch.build(Self.file)
        switch change {
        case .firstFile: try scratch.write("A", to: "context/a")
        case .fileMode: try scratch.write("a", to: "context/a", mode: 0o755)
        case .addedFile: try scratch.write("3", to: "context/d/three")
        case .removedFile: unlink("\(scratch.path)/context/d/two")
        case .sharedFile: try scratch.write("9", to: "context/d/one")
        case .lastFile: try scratch.write("B", to: "context/b")
        case .linkInstead:
            unlink("\(scratch.path)/context/b")
            try scratch.link("context/b", to: "a")
        }
        let second = try await scratch.build(Self.file)
        #expect(second.ran == ran.map { Self.steps[$0] })
        #expect(second.digest != first.digest)
        #expect(try await scratch.build(Self.file).ran == [])
    }

    @Test func whatNoStepUsesChangesNothing() async throws {
        let first = try await scratch.build(Self.file)
        try scratch.write("x", to: "context/unused")
        try scratch.setTime(1_700_000_000, of: "context/a")
        let second = try await scratch.build("ARG G=1\n" + Self.file) { $0.buildArguments = [("OTHER", "1")] }
        #expect(second.ran == [])
        #expect(second.digest == first.digest)
    }

    /// ENV and the like are part of the image, but no file depends on them.
    @Test func aChangedEnvironmentChangesTheImageOnly() async throws {
        let first = try await scratch.build(Self.file)
        let second = try await scratch.build(Self.file.replacing("ENV X=1", with: "ENV X=2\nLABEL l=1"))
        #expect(second.ran == [])
        #expect(second.diffIDs == first.diffIDs)
        #expect(second.digest != first.digest)
        #expect(second.result.image.config.runtime.environmentValue("X") == "2")
    }

    @Test(arguments: [
        ("COPY b /w/b", "COPY b /w/c"), ("COPY b /w/b", "COPY --chmod=600 b /w/b"),
        ("COPY b /w/b", "COPY --chown=5:6 b /w/b"), ("COPY b /w/b", "ADD b /w/b"), ("COPY b /w/b", "COPY a /w/b"),
        ("COPY b /w/b", "COPY --link b /w/b"),
    ])
    func aChangedInstructionRunsAgain(old: String, new: String) async throws {
        _ = try await scratch.build(Self.file)
        #expect(try await scratch.build(Self.file.replacing(old, with: new)).ran == [new])
    }

    @Test func aLinkedCopyDoesNotDependOnWhatIsBelow() async throws {
        let text = "FROM scratch\nCOPY a /a\nCOPY --link b /w/b\n"
        _ = try await scratch.build(text)
        try scratch.write("A", to: "context/a")
        #expect(try await scratch.build(text).ran == ["COPY a /a"])
    }

    @Test func whatAStageChangedAroundTheFilesThatAreTakenDoesNotMatter() async throws {
        let text = "FROM scratch AS one\nCOPY d /d\nFROM scratch\nCOPY --from=one /d/one /one\n"
        let first = try await scratch.build(text)
        try scratch.write("9", to: "context/d/two")
        let second = try await scratch.build(text)
        #expect(second.ran == ["COPY d /d"])
        #expect(second.digest == first.digest)
    }

    /// Output cut-off: a step that leaves the same tree as before leaves the same layer, and its children hit.
    @Test func theSameResultByAnotherWayIsTheSameLayer() async throws {
        let text = "FROM scratch\nCOPY --chmod=644 a /a\nCOPY b /b\n"
        let first = try await scratch.build(text)
        try scratch.write("A", to: "context/a")
        _ = try await scratch.build(text)
        try scratch.write("a", to: "context/a")
        let again = try await scratch.build(text)
        #expect(again.ran == [])
        #expect(again.digest == first.digest)
        let other = try await scratch.build(text.replacing("--chmod=644", with: "--chmod=u=rw,go=r"))
        #expect(other.ran == ["COPY --chmod=u=rw,go=r a /a"])
        #expect(other.diffIDs == first.diffIDs)
    }

    @Test func withoutTheCacheStepsRunAndGiveTheSame() async throws {
        let first = try await scratch.build(Self.file)
        let second = try await scratch.build(Self.file) { $0.cachePolicy = .ignore }
        #expect(second.ran == Self.steps)
        #expect(second.digest == first.digest)
        #expect(second.reasons == [])
    }

    @Test func aMissIsExplained() async throws {
        _ = try await scratch.build(Self.file)
        try scratch.write("9", to: "context/d/one")
        try scratch.write("3", to: "context/d/three")
        unlink("\(scratch.path)/context/d/two")
        let second = try await scratch.build(Self.file)
        let reason = try #require(second.reasons.first)
        for part in ["changed: /d/one", "added: /d/three", "removed: /d/two"] {
            #expect(reason.contains(part), "\(reason)")
        }
        #expect(second.reasons.contains("the layers below it changed"))
    }

    @Test func aLostBlobIsMadeAgain() async throws {
        let first = try await scratch.build(Self.file)
        let layer = try #require(first.result.image.manifest.layers.last)
        unlink("\(scratch.path)/root/images/blobs/sha256/\(layer.digest.hex)")
        let second = try await scratch.build(Self.file)
        #expect(second.ran == ["COPY b /w/b"])
        #expect(second.diffIDs == first.diffIDs)
    }

    @Test func twoBuildsAtOnceDoEachStepOnce() async throws {
        async let one = scratch.build(Self.file)
        async let two = scratch.build(Self.file)
        let builds = try await [one, two]
        #expect(builds[0].digest == builds[1].digest)
        #expect((builds[0].ran + builds[1].ran).sorted() == Self.steps.sorted())
    }

    @Test func onlyTheTargetsStepsRun() async throws {
        #expect(try await scratch.build(Self.file) { $0.target = "base" }.ran == ["COPY a /a", "COPY d /d"])
    }

    @Test func failuresNameTheStepAndLeaveNoImage() async throws {
        let error = await #expect(throws: BuildError.self) {
            try await scratch.build("FROM scratch\nCOPY a /a\nCOPY none /b\n") {
                $0.tags = [try ImageReference(parsing: "x")]
            }
        }
        guard case .step(let display, let reason)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(display.instruction == "COPY none /b")
        #expect("\(reason)".contains("`none` is not in the build context"))
        #expect(try Store(root: "\(scratch.path)/root").images.index().manifests == [])
        #expect(try Directory(path: "\(scratch.path)/root/tmp").list(.root).isEmpty)
    }
}
