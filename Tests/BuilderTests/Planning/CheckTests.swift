import BuildFileParser
import OCI
import Testing

@testable import Builder

@Suite struct CheckTests {
    static let digest = "sha256:" + String(repeating: "0", count: 64)

    @Test(arguments: [
        "docker/dockerfile", "docker/dockerfile:1", "docker/dockerfile:1.7-labs", "docker.io/docker/dockerfile:1.4",
        "docker/dockerfile-upstream:master-labs", "docker/dockerfile:1@\(digest)", "docker/dockerfile@\(digest)",
        "index.docker.io/docker/dockerfile:1", "docker/dockerfile:1 --some-option",
    ])
    func readsEveryVersionOfTheLanguage(_ name: String) throws {
        _ = try plan("# syntax=\(name)\nFROM scratch\n")
    }

    @Test(arguments: [
        "example.com/frontend", "docker/dockerfile-other:1", "dockerfile", "example.com/docker/dockerfile:1", "A/B",
    ])
    func refusesOtherFrontends(_ name: String) throws {
        let error = #expect(throws: Diagnostic.self) { try plan("# syntax=\(name)  \nFROM scratch\n") }
        #expect(error?.message == "the file asks for the frontend `\(name)`, which swbuild cannot run")
        #expect(error?.range?.start == SourcePosition(line: 1, column: 10))
        #expect(error?.range?.end == SourcePosition(line: 1, column: 10 + name.utf8.count))
    }

    @Test func theArgumentForTheFrontendWins() throws {
        _ = try plan("# syntax=example.com/f\nFROM scratch\n") {
            $0.buildArguments = [("BUILDKIT_SYNTAX", "docker/dockerfile:1")]
        }
        #expect(throws: Diagnostic.self) {
            try plan("FROM scratch\n") { $0.buildArguments = [("BUILDKIT_SYNTAX", "example.com/f")] }
        }
    }

    @Test func warnsOfArgumentsThatNobodyDeclares() throws {
        let text = "ARG BASE=scratch\nFROM scratch AS a\nARG VERSION\nFROM scratch\nARG OTHER\n"
        let warnings = try plan(text) { request in
            request.buildArguments = [
                ("BASE", "x"), ("VERSION", "1"), ("VERSOIN", "1"), ("VERSOIN", "2"), ("HTTP_PROXY", "p"),
                ("BUILDKIT_INLINE_CACHE", "1"), ("SOURCE_DATE_EPOCH", "0"), ("ELSEWHERE", "1"),
            ]
        }.warnings
        #expect(
            warnings.map(\.message) == [
                "--build-arg VERSOIN is not used: no ARG declares it",
                "--build-arg ELSEWHERE is not used: no ARG declares it",
            ]
        )
        #expect(warnings.first?.notes == ["did you mean `VERSION`?"])
    }

    @Test func warnsOfFiltersForStagesThatAreNotThere() throws {
        let warnings = try plan("FROM scratch AS build\nFROM scratch\n") { request in
            request.cachePolicy = .ignoreStages(["Build", "1", "stage-1", "biuld", "2", "stage-9"])
        }.warnings
        #expect(warnings.map(\.message.count).count == 3)
        #expect(warnings.first?.notes == ["did you mean `build`?", "the stages are build"])
    }

    @Test(arguments: [
        ("linux/amd64", "linux/amd64", false), ("linux/amd64", "linux/arm64", true),
        ("linux/arm/v7", "linux/arm/v6", false), ("linux/amd64", "windows/amd64", true),
    ])
    func tellsOfABaseImageForAnotherPlatform(wanted: String, actual: String, isFound: Bool) throws {
        var request = BuildRequest()
        request.buildFile = Array("FROM scratch AS a\nFROM example/base:1\n".utf8)
        let image = BaseImage(
            name: "example/base:1",
            expected: try #require(Platform(parsing: wanted)),
            actual: try #require(Platform(parsing: actual)),
            variables: []
        )
        let findings = try BuildFileChecks(request).findings(baseImages: [1: image])
        #expect(findings.map(\.rule) == (isFound ? [.invalidBaseImagePlatform] : []))
        #expect(findings.allSatisfy { $0.range.start == SourcePosition(line: 2, column: 6) })
        #expect(findings.allSatisfy { $0.message.contains("\"\(actual)\", expected \"\(wanted)\"") })
        request.buildFile = Array("# check=skip=InvalidBaseImagePlatform\n".utf8) + request.buildFile
        #expect(try BuildFileChecks(request).findings(baseImages: [1: image]).isEmpty)
    }

    @Test func triggersAreBlamedOnTheImageThatHasThem() throws {
        var config = RuntimeConfig()
        config.onBuild = ["COPY a b c"]
        let images = FakeImages(["base": config])
        let error = #expect(throws: Diagnostic.self) { try plan("FROM base\n", images: images) }
        #expect(error?.range?.start == SourcePosition(line: 1, column: 6))
    }
}
