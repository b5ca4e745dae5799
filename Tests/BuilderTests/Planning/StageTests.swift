import BuildFileParser
import OCI
import Testing

@testable import Builder

@Suite struct StageTests {
    static let stages = """
        FROM one AS First
        RUN first
        FROM two AS second
        RUN second
        FROM three
        RUN third
        COPY --from=FIRST /a /b
        """

    @Test(
        arguments: [
            (nil, ["FROM one", "RUN first", "FROM three", "RUN third", "COPY --from=FIRST /a /b"]),
            ("", ["FROM one", "RUN first", "FROM three", "RUN third", "COPY --from=FIRST /a /b"]),
            ("first", ["FROM one", "RUN first"]), ("FIRST", ["FROM one", "RUN first"]),
            ("0", ["FROM one", "RUN first"]),
            ("1", ["FROM two", "RUN second"]),
            ("2", ["FROM one", "RUN first", "FROM three", "RUN third", "COPY --from=FIRST /a /b"]),
        ] as [(String?, [String])]
    )
    func theTargetIsAStageByNameOrNumber(target: String?, steps: [String]) throws {
        let images = FakeImages()
        let plan = try plan(Self.stages, images: images) { $0.target = target }
        #expect(plan.neededSteps == steps)
        #expect(
            images.requests.sorted() == steps.filter { $0.hasPrefix("FROM") }.map { String($0.dropFirst(5)) }.sorted()
        )
    }

    @Test(arguments: ["secnd", "3", "-1", "none"])
    func anUnknownTargetIsAnError(target: String) {
        let error = #expect(throws: Diagnostic.self) { try plan(Self.stages) { $0.target = target } }
        #expect(error?.message == "--target \(target): the file has no such stage")
        #expect(error?.notes.contains("the stages are First, second") == true)
        if target == "secnd" { #expect(error?.notes.first == "did you mean `second`?") }
    }

    @Test func stagesThatAreNotNeededAreNotLookedAt() throws {
        let text = """
            FROM unknown AS unused
            RUN ${MISSING:?never expanded}
            COPY --from=nothing:UPPER /a /b
            FROM base AS build
            FROM build
            """
        let images = FakeImages()
        #expect(try plan(text, images: images).neededSteps == ["FROM base"])
        #expect(images.requests == ["base"])
    }

    @Test func aStageGoesOnFromAnother() throws {
        let plan = try plan("FROM base AS a\nENV X=1\nWORKDIR /w\nUSER u\nCMD c\nFROM A\nRUN x\n")
        #expect(plan.runs.first?.workingDirectory == "/w")
        #expect(plan.runs.first?.user == "u")
        #expect(plan.runs.first?.environment.contains("X=1") == true)
        #expect(plan.result.config.runtime.command == ["/bin/sh", "-c", "c"])
    }

    @Test func anImageIsAskedForOnce() throws {
        let images = FakeImages()
        _ = try plan(
            "FROM base AS a\nFROM base:latest AS b\nCOPY --from=a /a /\nCOPY --from=base /c /\n",
            images: images
        )
        #expect(Set(images.requests).count <= 2)
        #expect(images.requests.filter { $0 == "base" }.count == 1)
    }

    @Test func identicalStepsAreOne() throws {
        let text = "FROM base AS a\nRUN x\nRUN y\nFROM base AS b\nRUN x\nRUN z\nFROM a\nCOPY --from=b /f /\n"
        let plan = try plan(text)
        #expect(plan.runs.map { $0.arguments.last } == ["x", "y", "z"])
        #expect(Set(plan.runs.map(\.base)).count == 2)
    }

    @Test func stepsDifferByWhatTheyRunWith() throws {
        for change in ["ENV A=1", "USER u", "WORKDIR /w", "ARG A=1", "SHELL [\"/sh\"]"] {
            let text = "FROM base AS a\nRUN x\nFROM base AS b\n\(change)\nRUN x\nFROM a\nCOPY --from=b /f /\n"
            #expect(try plan(text).runs.count == 2, "\(change)")
        }
        // What is only said of the image makes no difference to a step.
        for change in ["LABEL a=b", "CMD x", "EXPOSE 80", "ENTRYPOINT x", "STOPSIGNAL 9", "VOLUME /v"] {
            let text = "FROM base AS a\nRUN x\nFROM base AS b\n\(change)\nRUN x\nFROM a\nCOPY --from=b /f /\n"
            #expect(try plan(text).runs.count == 1, "\(change)")
        }
    }

    @Test func inputsAreEarlierNodes() throws {
        let plan = try plan(Self.stages + "\nRUN --mount=from=second,target=/m x\n")
        for (index, node) in plan.graph.nodes.enumerated() {
            #expect(node.inputs.allSatisfy { $0.index < index })
        }
    }

    @Test(arguments: [
        (
            "FROM base\nCOPY --from=later /a /\nFROM base AS later\nFROM base\nCOPY --from=0 /a /",
            "comes later in the file"
        ),
        ("FROM base\nCOPY --from=2 /a /\nFROM base\nFROM base\nCOPY --from=0 /a /", "comes later in the file"),
        ("FROM base AS me\nCOPY --from=me /a /", "cannot copy from itself"),
        ("FROM base\nCOPY --from=0 /a /", "cannot copy from itself"),
        ("FROM base\nCOPY --from=7 /a /", "there is no stage number 7"),
        ("FROM base\nCOPY --from=$A /a /", "takes no variables"),
        ("FROM base\nCOPY --from=scratch /a /", "nothing to take from an empty image"),
        ("FROM base\nCOPY --from=unknown /a /", "cannot use the image `unknown`: it is not there"),
        ("FROM base\nCOPY --from=No:Image:Name /a /", "is no stage, no build context and no image"),
        ("FROM unknown", "cannot use the image `unknown`: it is not there"),
        ("FROM ${NONE}", "has no value"), ("ARG V\nFROM base:$V", "is no stage, no build context and no image"),
        ("FROM --platform=a/b/c/d base", "is no platform"),
    ])
    func sourcesThatCannotBe(text: String, message: String) {
        let error = #expect(throws: Diagnostic.self) { try plan(text) }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        #expect(error?.range != nil)
    }

    @Test func aNearNameIsSuggested() {
        let error = #expect(throws: Diagnostic.self) {
            try plan("FROM base AS builder\nFROM base\nCOPY --from=Buildr /a /\n")
        }
        #expect(error?.notes == ["did you mean `builder`?"])
    }

    @Test func longChainsOfStagesNeedNoDeepRecursion() throws {
        let text = (0..<3000).map { "FROM \($0 == 0 ? "base" : "s\($0 - 1)") AS s\($0)\nENV N=\($0)\n" }.joined()
        #expect(try plan(text).result.config.runtime.environmentValue("N") == "2999")
    }

    // MARK: Named contexts

    @Test func aNamedContextStandsForAStageOrImage() throws {
        let images = FakeImages()
        let text = "FROM unknown AS build\nRUN never\nFROM base\nCOPY --from=build /a /\nCOPY --from=lib:1 /b /\n"
        let plan = try plan(text, images: images) { request in
            request.namedContexts = [
                NamedContext(name: "build", source: .directory("/there")),
                NamedContext(name: "docker.io/library/lib:1", source: .layout(path: "/layout", tag: "t", digest: nil)),
                NamedContext(name: "base", source: .image(try ImageReference(parsing: "other"))),
            ]
        }
        #expect(plan.graph.contexts.map(\.location) == [.directory("/context"), .directory("/there")])
        #expect(plan.copies.first?.from == .context(1))
        #expect(images.requests == ["other", "/layout:t"])
        #expect(!plan.neededSteps.contains("RUN never"))
    }

    @Test func theLastOfTwoContextsOfANameCounts() throws {
        let plan = try plan("FROM scratch\nCOPY --from=a /x /") { request in
            request.namedContexts = [
                NamedContext(name: "a", source: .directory("/1")), NamedContext(name: "a", source: .directory("/2")),
            ]
        }
        #expect(plan.graph.contexts.map(\.location) == [.directory("/context"), .directory("/2")])
    }

    @Test func aDirectoryAsTheBaseIsAnImageOfItsFiles() throws {
        let plan = try plan("FROM a\nLABEL x=y") { request in
            request.namedContexts = [NamedContext(name: "a", source: .directory("/1"))]
        }
        #expect(plan.history == ["FROM a", "[LABEL x=y]"])
        #expect(plan.graph.contexts.map(\.location) == [.directory("/context"), .directory("/1")])
        #expect(plan.copies.map(\.from) == [.context(1)])
        #expect(plan.result.config.runtime.environment == ["PATH=\(StageState.defaultPath)"])
    }

    @Test func withoutAContextNothingCanBeCopiedFromIt() throws {
        for text in ["COPY a /", "ADD a /", "RUN --mount=target=/m x"] {
            let error = #expect(throws: Diagnostic.self) { try plan("FROM base\n\(text)") { $0.contextPath = nil } }
            #expect(error?.message.contains("this build has none") == true)
        }
        #expect(
            try plan("FROM base\nCOPY <<EOF /f\nx\nEOF\n") { $0.contextPath = nil }.copies.first?.from
                == FileSource.none
        )
    }

    // MARK: Triggers

    @Test func triggersOfTheBaseImageRunFirst() throws {
        var config = RuntimeConfig()
        config.onBuild = ["ENV A=1", "RUN trigger", "COPY . /src"]
        let images = FakeImages(["base": config])
        let plan = try plan("FROM base\nRUN own $A\n", images: images)
        #expect(plan.history == ["[ENV A=1]", "RUN /bin/sh -c trigger", "COPY . /src", "RUN /bin/sh -c own $A"])
        #expect(plan.result.config.runtime.onBuild == [])
        #expect(plan.runs.last?.environment.contains("A=1") == true)
        let again = try BuilderTests.plan("FROM base AS a\nFROM a\nRUN own\n", images: images)
        #expect(again.runs.filter { $0.arguments.last == "trigger" }.count == 1, "only where the image is the base")
    }

    @Test func aTriggerIsKeptForOthersAndDoesNothingHere() throws {
        let plan = try plan("FROM base\nONBUILD RUN later\nONBUILD COPY . /src\n")
        #expect(plan.result.config.runtime.onBuild == ["RUN later", "COPY . /src"])
        #expect(plan.runs.isEmpty)
    }

    @Test func anUnusableTriggerIsNamed() {
        var config = RuntimeConfig()
        config.onBuild = ["NONSENSE"]
        let error = #expect(throws: Diagnostic.self) {
            try plan("FROM base\n", images: FakeImages(["base": config]))
        }
        #expect(error?.message.contains("ONBUILD trigger `NONSENSE` cannot be used") == true)
    }
}
