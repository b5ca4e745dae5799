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

    @Test func anArgumentSeesThoseBeforeItInTheSameInstruction() throws {
        let text = "ARG A=1 B=$A\nFROM base\nARG B C=2 D=$C\nLABEL b=$B d=$D\n"
        #expect(try plan(text).result.config.runtime.labels == ["b": "1", "d": "2"])
    }

    @Test func aDefaultThatIsNotNeededIsNotLookedAt() throws {
        let text = "FROM base\nARG A=${NEEDED:?is missing}\nLABEL a=$A\n"
        #expect(throws: Diagnostic.self) { try plan(text) }
        let given = try plan(text) { $0.buildArguments = [("A", "given")] }
        #expect(given.result.config.runtime.labels == ["a": "given"])
    }

    @Test func automaticArgumentsCanBeGiven() throws {
        let text = "FROM base:$TARGETARCH\nARG TARGETARCH\nLABEL a=$TARGETARCH\n"
        let images = FakeImages()
        let given = try plan(text, images: images) { $0.buildArguments = [("TARGETARCH", "mine")] }
        #expect(given.result.config.runtime.labels == ["a": "mine"])
        #expect(images.requests == ["base:mine"])
    }

    @Test(arguments: [
        ("FROM base\n", nil, "default"), ("FROM base AS Last\n", nil, "last"), ("FROM base AS a\n", "A", "A"),
    ])
    func theTargetIsKnownToThoseWhoAsk(from: String, target: String?, expected: String) throws {
        let plan = try plan(from + "ARG TARGETSTAGE\nLABEL t=$TARGETSTAGE\n") { $0.target = target }
        #expect(plan.result.config.runtime.labels == ["t": expected])
    }

    @Test func theCommandLinesPlatformIsTheResults() throws {
        let text = "FROM --platform=linux/amd64 base\n"
        let arm = Platform(os: "linux", architecture: "arm64")
        #expect(try plan(text) { $0.platform = arm }.result.config.platform.architecture == "amd64")
        let declared = try plan(text) { request in
            request.platform = arm
            request.platformIsGiven = true
        }
        #expect(declared.result.config.platform == arm)
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
        #expect(
            plan.runs.first?.proxyEnvironment == [
                "HTTP_PROXY=http://p", "http_proxy=http://p", "NO_PROXY=h", "no_proxy=h",
            ]
        )
        #expect(plan.runs.first?.environment.contains { $0.contains("http://p") } == false)
        #expect(plan.history == ["RUN /bin/sh -c x"])
        #expect(plan.result.config.runtime.environment.allSatisfy { !$0.contains("http://p") })
    }

    @Test func whatAStageSetsItselfIsNoProxySetting() throws {
        let text = "FROM base\nARG HTTP_PROXY\nENV no_proxy=own\nRUN x\n"
        let plan = try plan(text) {
            $0.buildArguments = [
                ("HTTP_PROXY", "p"), ("no_proxy", "h"), ("FTP_PROXY", ""), ("all_proxy", "l"), ("ALL_PROXY", "u"),
            ]
        }
        #expect(
            plan.runs.first?.proxyEnvironment == ["http_proxy=p", "NO_PROXY=h", "ALL_PROXY=u", "all_proxy=l"]
        )
    }

    @Test func theEpochComesFromTheArgumentBeforeTheEnvironment() throws {
        #expect(try plan("FROM base") { $0.sourceDateEpoch = "5" }.sourceDateEpoch == "5")
        let both = try plan("FROM base") { request in
            request.sourceDateEpoch = "5"
            request.buildArguments = [("SOURCE_DATE_EPOCH", "6")]
        }
        #expect(both.sourceDateEpoch == "6")
        #expect(try plan("FROM base").sourceDateEpoch == nil)
        #expect(try plan("ARG SOURCE_DATE_EPOCH=7\nFROM base").sourceDateEpoch == "7")
        #expect(try plan("ARG SOURCE_DATE_EPOCH=\nFROM base").sourceDateEpoch == nil)
        #expect(try plan("ARG SOURCE_DATE_EPOCH=7\nFROM base") { $0.sourceDateEpoch = "5" }.sourceDateEpoch == "5")
        #expect(try plan("FROM base\nARG SOURCE_DATE_EPOCH=7").sourceDateEpoch == nil, "a stage's own is its own")
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
        ("EXPOSE 0 65535", ["0/tcp", "65535/tcp"]), ("EXPOSE 80/", ["80/tcp"]),
        ("EXPOSE 8080:80 :81/udp 1-2:7-8", ["80/tcp", "81/udp", "7/tcp", "8/tcp"]),
        ("EXPOSE 8000-8002/udp", ["8000/udp", "8001/udp", "8002/udp"]), ("EXPOSE 5-5", ["5/tcp"]),
        ("ENV P=\"1 2\"\nEXPOSE $P 3", ["1/tcp", "2/tcp", "3/tcp"]),
    ])
    func ports(text: String, expected: [String]) throws {
        let ports = try config(text).json["ExposedPorts"]?.object ?? [:]
        #expect(Set(ports.keys) == Set(expected))
        #expect(ports.values.allSatisfy { $0 == .object([:]) })
    }

    @Test(arguments: [
        "x", "65536", "-1", "80-79", "1-65536", "80/icmp", "80/tcp/udp", "80-", "-", "1-2-3", "/tcp", "+80", "80:",
        "x:80",
        "1:2:3",
    ])
    func portsThatCannotBe(text: String) {
        let error = #expect(throws: Diagnostic.self) { try config("EXPOSE \(text)") }
        #expect(error?.message.contains("`\(text)`") == true)
        #expect(error?.range != nil)
    }

    @Test(arguments: [
        ("a\u{7}\u{8}\t\n\u{B}\u{C}\r\u{1}\u{7F}", #"a\a\b\t\n\v\f\r\x01\x7f"#), (#"q"b\"#, #"q\"b\\"#),
        ("é😀 \u{A0}\u{200B}\u{E0001}", #"é😀 \u00a0\u200b\U000e0001"#),
    ])
    func textsAreQuotedAsInGo(text: String, expected: String) {
        #expect(HistoryText.quoted(text) == "\"\(expected)\"")
    }

    @Test func aPathIsAlwaysSet() throws {
        #expect(try plan("FROM base").result.config.runtime.environment == ["PATH=\(StageState.defaultPath)"])
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
