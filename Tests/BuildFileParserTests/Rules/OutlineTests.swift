import BuildFileParser
import Testing

@Suite struct OutlineTests {
    private static let source = """
        # VERSION which compiler
        ARG VERSION=1.2
        ARG UNUSED=1
        FROM alpine:${VERSION} AS build
        # MODE debug or release
        ARG MODE=debug
        ARG VERSION
        RUN --mount=type=secret,id=token,required=true make $MODE
        RUN --mount=type=cache,target=/c --mount=type=ssh true
        # release is what is shipped
        FROM scratch AS release
        ARG NAME
        COPY --from=build /out/$NAME /
        FROM scratch AS other
        ARG ELSE=1

        """

    private func outline(_ target: String?, _ values: [(name: String, value: String)] = []) throws -> Outline {
        try parseBuildFile(Array(Self.source.utf8)).outline(target: target, values: values)
    }

    @Test func argumentsOfTheTargetAndOfWhatItNeeds() throws {
        let outline = try outline("release", [("NAME", "a")])
        #expect(outline.description == "is what is shipped")
        #expect(outline.arguments.map(\.name) == ["VERSION", "MODE", "NAME"])
        #expect(outline.arguments.map(\.value) == ["1.2", "debug", "a"])
        #expect(outline.arguments.map(\.description) == ["which compiler", "debug or release", nil])
        #expect(outline.arguments.map { $0.uses.map(\.start.line) } == [[4], [8], [13]])
    }

    @Test func mounts() throws {
        let outline = try outline("release")
        #expect(outline.secrets.map(\.id) == ["token"])
        #expect(outline.secrets.map(\.isRequired) == [true])
        #expect(outline.agents.map(\.id) == ["default"])
        #expect(outline.caches.map(\.id) == ["/c"])
    }

    @Test func otherTargets() throws {
        #expect(try outline(nil).arguments.map(\.name) == ["ELSE"])
        #expect(try outline("0").arguments.map(\.name) == ["VERSION", "MODE"])
        let diagnostic = #expect(throws: Diagnostic.self) { try outline("releas") }
        #expect(diagnostic?.notes == ["did you mean `release`?"])
    }

    @Test func targets() throws {
        let targets = try parseBuildFile(Array(Self.source.utf8)).targetDescriptions()
        #expect(targets.map(\.name) == ["build", "release", "other"])
        #expect(targets.map(\.base) == ["alpine:1.2", "scratch", "scratch"])
        #expect(targets.map(\.isDefault) == [false, false, true])
        #expect(targets.map(\.description) == [nil, "is what is shipped", nil])
    }
}
