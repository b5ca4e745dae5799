import BuildFileParser
import OCI
import Testing

@testable import Builder

@Suite struct ConfigurationTests {
    private func config(_ text: String, _ change: (inout BuildRequest) -> Void = { _ in }) throws -> RuntimeConfig {
        try plan("FROM scratch\n\(text)\n", change).result.config.runtime
    }

    @Test func theHistoryOfEveryKindOfInstruction() throws {
        let text = """
            FROM base
            MAINTAINER Jane Doe <jane@example.org>
            ARG A=1
            ARG B
            ENV X=$A Y="two words"
            LABEL l="a b" m=$X
            COPY f.txt  g.txt   /dir/
            ADD --chown=1:2 --chmod=755 f.txt /h$X.txt
            RUN echo   "$A"  >  /a.txt
            RUN ["/bin/sh", "-c", "true"]
            WORKDIR /w
            WORKDIR rel
            USER 1000:50
            EXPOSE 80/udp
            VOLUME ["/v"]
            STOPSIGNAL SIGINT
            SHELL ["/bin/sh", "-ec"]
            RUN true
            ENTRYPOINT ["e", "f g"]
            CMD c d
            HEALTHCHECK --interval=90s --timeout=500ms --start-period=2h --retries=7 CMD check a
            """
        let plan = try plan(text) { $0.buildArguments = [("B", "b b")] }
        #expect(
            plan.history == [
                "[MAINTAINER Jane Doe <jane@example.org>]", "[ARG A=1]", "[ARG B=b b]", "[ENV X=1 Y=two words]",
                "[LABEL l=a b m=1]", "COPY f.txt g.txt /dir/", "ADD --chown=1:2 --chmod=755 f.txt /h1.txt",
                #"RUN |2 A=1 B=b b /bin/sh -c echo   "$A"  >  /a.txt"#, "RUN |2 A=1 B=b b /bin/sh -c true",
                "WORKDIR /w",
                "WORKDIR /w/rel", "[USER 1000:50]", "[EXPOSE [80/udp]]", "[VOLUME [/v]]", "[STOPSIGNAL SIGINT]",
                "[SHELL [/bin/sh -ec]]", "RUN |2 A=1 B=b b /bin/sh -ec true", #"[ENTRYPOINT ["e" "f g"]]"#,
                #"[CMD ["/bin/sh" "-ec" "c d"]]"#,
                "[HEALTHCHECK {Test:[CMD-SHELL check a] Interval:1m30s Timeout:500ms StartPeriod:2h0m0s "
                    + "StartInterval:0s Retries:7}]",
            ]
        )
        #expect(plan.result.config.author == "Jane Doe <jane@example.org>")
        let numbers = plan.graph.nodes.map(\.display.name)
        #expect(numbers.contains("[stage-0 2/8] COPY f.txt g.txt /dir/"))
    }

    @Test(arguments: [
        ([], "/"), (["/a"], "/a"), (["a"], "/a"), (["/a", "b"], "/a/b"), (["/a", "b", ".."], "/a"),
        (["/a", "../.."], "/"), (["/a", "/b"], "/b"), (["/a//b/./c/"], "/a/b/c"), (["/a", "."], "/a"),
        (["/a", "$X/c"], "/a/x y/c"), (["/a b"], "/a b"),
    ])
    func workingDirectoriesJoin(paths: [String], expected: String) throws {
        let text = (["ENV X=\"x y\""] + paths.map { "WORKDIR \($0)" }).joined(separator: "\n")
        let config = try config(text)
        #expect(config.workingDirectory == expected)
    }

    @Test func aWorkingDirectoryIsAStepUnlessItIsTheRoot() throws {
        let plan = try plan("FROM base\nUSER u\nWORKDIR /\nWORKDIR /a\nWORKDIR b\n")
        let made = plan.graph.nodes.compactMap { node -> MakeDirectoryStep? in
            guard case .makeDirectory(let step) = node.operation else { return nil }
            return step
        }
        #expect(made.map(\.path) == ["/a", "/a/b"])
        #expect(made.map(\.user) == ["u", "u"])
    }

    // MARK: Arguments

    @Test func argumentsCountFromTheirLineOn() throws {
        let text =
            "FROM base\nENV BEFORE=${who:-someone}\nRUN a\nARG who\nENV AFTER=$who\nRUN b\nARG later=$who-$AFTER\n"
            + "LABEL later=$later\n"
        let plan = try plan(text) { $0.buildArguments = [("who", "me"), ("other", "unused")] }
        #expect(plan.runs.first?.environment.contains { $0.hasPrefix("who=") } == false)
        #expect(plan.runs.last?.environment.contains("who=me") == true)
        #expect(plan.runs.allSatisfy { run in !run.environment.contains { $0.hasPrefix("other=") } })
        #expect(plan.result.config.runtime.environment.contains("BEFORE=someone"))
        #expect(plan.result.config.runtime.environment.contains("AFTER=me"))
        #expect(!plan.result.config.runtime.environment.contains { $0.hasPrefix("who=") }, "no ARG is in the image")
        #expect(plan.result.config.runtime.labels == ["later": "me-me"])
    }

    @Test func argumentsEndWithTheirStage() throws {
        let text =
            "ARG G=global\nFROM base AS a\nARG A=1\nRUN a\nFROM base\nARG G\nARG H=$A$G\nRUN b $A\nLABEL h=$H u=$UNSET\n"
        let plan = try plan(text)
        #expect(plan.runs.last?.environment.contains { $0.hasPrefix("A=") } == false)
        #expect(plan.runs.last?.environment.contains("G=global") == true)
        #expect(plan.result.config.runtime.labels == ["h": "global", "u": ""])
    }

    @Test func globalArgumentsAreForFROM() throws {
        let images = FakeImages()
        let text = "ARG V=1\nARG NAME=base:$V\nFROM $NAME\nRUN x $V\n"
        #expect(try plan(text, images: images).runs.first?.environment.contains { $0.hasPrefix("V=") } == false)
        _ = try plan(text, images: images) { $0.buildArguments = [("V", "2")] }
        #expect(images.requests == ["base:1", "base:2"])
    }

    @Test func aStagesOwnDefaultComesBeforeTheGlobalValue() throws {
        let text = "ARG A=global\nFROM base\nARG A=own\nLABEL a=$A\n"
        #expect(try plan(text).result.config.runtime.labels == ["a": "own"])
        let given = try plan(text) { $0.buildArguments = [("A", "given")] }
        #expect(given.result.config.runtime.labels == ["a": "given"])
    }

    @Test func theEnvironmentOverridesAnArgument() throws {
        let plan = try plan("FROM base\nARG X=default\nENV X=env\nRUN x\n") { $0.buildArguments = [("X", "given")] }
        #expect(plan.runs.first?.environment.filter { $0.hasPrefix("X=") } == ["X=env"])
        #expect(plan.result.config.runtime.environmentValue("X") == "env")
    }

    @Test func thePlatformIsKnownToThoseWhoAsk() throws {
        let text =
            "FROM base\nARG TARGETPLATFORM\nARG TARGETARCH\nARG TARGETVARIANT\nARG BUILDPLATFORM\n"
            + "LABEL p=$TARGETPLATFORM a=$TARGETARCH v=$TARGETVARIANT b=$BUILDPLATFORM o=$TARGETOS\n"
        let plan = try plan(text) { $0.platform = Platform(os: "linux", architecture: "arm", variant: "v7") }
        let expected = [
            "p": "linux/arm/v7", "a": "arm", "v": "v7", "b": Platform.host.description, "o": "",
        ]
        #expect(plan.result.config.runtime.labels == expected)
    }

    @Test func proxiesReachEveryStepAndNoHistory() throws {
        let plan = try plan("FROM base\nRUN x\n") {
            $0.buildArguments = [("HTTP_PROXY", "http://p"), ("no_proxy", "h")]
        }
        #expect(plan.runs.first?.proxyEnvironment == ["HTTP_PROXY=http://p", "no_proxy=h"])
        #expect(plan.runs.first?.environment.contains { $0.contains("http://p") } == false)
        #expect(plan.history == ["RUN /bin/sh -c x"])
        #expect(plan.result.config.runtime.environment.allSatisfy { !$0.contains("http://p") })
    }

    @Test func theEpochComesFromTheArgumentBeforeTheEnvironment() throws {
        #expect(try plan("FROM base") { $0.sourceDateEpoch = "5" }.sourceDateEpoch == "5")
        let both = try plan("FROM base") { request in
            request.sourceDateEpoch = "5"
            request.buildArguments = [("SOURCE_DATE_EPOCH", "6")]
        }
        #expect(both.sourceDateEpoch == "6")
        #expect(try plan("FROM base").sourceDateEpoch == nil)
    }

    // MARK: Values

    @Test func commandsAndEntrypoints() throws {
        #expect(try config("CMD a b").command == ["/bin/sh", "-c", "a b"])
        #expect(try config("SHELL [\"/s\"]\nCMD a b").command == ["/s", "a b"])
        #expect(try config("CMD []").command == [])
        var base = RuntimeConfig()
        base.command = ["inherited"]
        let images = FakeImages(["base": base])
        #expect(try plan("FROM base\nENTRYPOINT [\"e\"]", images: images).result.config.runtime.command == nil)
        let own = try plan("FROM base\nCMD [\"own\"]\nENTRYPOINT [\"e\"]", images: images).result.config.runtime
        #expect(own.command == ["own"])
        #expect(own.entrypoint == ["e"])
    }

    @Test(arguments: [
        ("EXPOSE 80", ["80/tcp"]), ("EXPOSE 80/UDP 9/sctp", ["80/udp", "9/sctp"]),
        ("EXPOSE 0 65535", ["0/tcp", "65535/tcp"]),
        ("EXPOSE 8000-8002/udp", ["8000/udp", "8001/udp", "8002/udp"]), ("EXPOSE 5-5", ["5/tcp"]),
        ("ENV P=\"1 2\"\nEXPOSE $P 3", ["1/tcp", "2/tcp", "3/tcp"]),
    ])
    func ports(text: String, expected: [String]) throws {
        let ports = try config(text).json["ExposedPorts"]?.object ?? [:]
        #expect(Set(ports.keys) == Set(expected))
        #expect(ports.values.allSatisfy { $0 == .object([:]) })
    }

    @Test(arguments: [
        "x", "65536", "-1", "80-79", "1-65536", "80/icmp", "80/tcp/udp", "80-", "-", "1-2-3", "80/", "+80",
    ])
    func portsThatCannotBe(text: String) {
        let error = #expect(throws: Diagnostic.self) { try config("EXPOSE \(text)") }
        #expect(error?.message.contains("`\(text)`") == true)
        #expect(error?.range != nil)
    }

    @Test func healthchecks() throws {
        let full = try config(
            "HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=2h --start-interval=1.5s --retries=7 CMD [\"a\", \"b\"]"
        )
        let expected: JSONValue = .object([
            "Test": .strings(["CMD", "a", "b"]), "Interval": .integer(90_000_000_000), "Timeout": .integer(500_000_000),
            "StartPeriod": .integer(7_200_000_000_000), "StartInterval": .integer(1_500_000_000),
            "Retries": .integer(7),
        ])
        #expect(full.healthcheck == expected)
        #expect(try config("HEALTHCHECK CMD a b").healthcheck == .object(["Test": .strings(["CMD-SHELL", "a b"])]))
        #expect(try config("HEALTHCHECK NONE").healthcheck == .object(["Test": .strings(["NONE"])]))
    }

    @Test(
        arguments: [
            (0, "0s"), (1, "1ns"), (999, "999ns"), (1000, "1µs"), (1500, "1.5µs"), (1_000_000, "1ms"),
            (1_250_000, "1.25ms"), (500_000_000, "500ms"), (1_000_000_000, "1s"), (1_500_000_000, "1.5s"),
            (60_000_000_000, "1m0s"), (90_000_000_000, "1m30s"), (3_600_000_000_000, "1h0m0s"),
            (3_600_500_000_000, "1h0m0.5s"), (90_061_000_000_001, "25h1m1.000000001s"),
        ] as [(Int64, String)]
    )
    func durationsAreWrittenAsInGo(nanoseconds: Int64, expected: String) {
        #expect(HistoryText.duration(nanoseconds) == expected)
    }

    @Test func signals() throws {
        #expect(try config("STOPSIGNAL 9").stopSignal == "9")
        #expect(try config("ENV S=TERM\nSTOPSIGNAL SIG$S").stopSignal == "SIGTERM")
        #expect(throws: Diagnostic.self) { try config("STOPSIGNAL SIGNOTHING") }
    }

    @Test func volumesAndUsersAndLabels() throws {
        #expect(
            try config("VOLUME /a \"/b\"\nVOLUME [\"/c d\"]").json["Volumes"]?.object?.keys.sorted() == [
                "/a", "/b", "/c d",
            ]
        )
        #expect(try config("ARG U=x\nUSER $U:1").user == "x:1")
        let labels = try config("LABEL a=1 b=2\nLABEL a=3") { $0.labels = [("b", "given"), ("c", "")] }.labels
        #expect(labels == ["a": "3", "b": "given", "c": ""])
    }

    @Test func scratchBeginsWithAPathAndNothingElse() throws {
        let config = try config("")
        #expect(config.environment == ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])
        #expect(config.workingDirectory == "/")
    }
}
