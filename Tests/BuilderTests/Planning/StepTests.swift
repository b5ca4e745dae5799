import BuildFileParser
import OCI
import Testing

@testable import Builder

@Suite struct StepTests {
    private func mount(_ text: String) throws -> MountSpec {
        let plan = try plan("FROM base AS other\nFROM base\nWORKDIR /w\nARG V=v\nRUN --mount=\(text) x\n")
        return try #require(plan.runs.last?.mounts.first)
    }

    // MARK: Mounts (Dockerfile reference, "RUN --mount")

    @Test(
        arguments: [
            ("target=/m", "/m", .bind(source: .context(0), path: "/", writable: false)),
            ("type=bind,dst=m,source=s", "/w/m", .bind(source: .context(0), path: "s", writable: false)),
            ("type=bind,destination=/m,src=/s,rw", "/m", .bind(source: .context(0), path: "/s", writable: true)),
            ("type=bind,target=/m,rw=false", "/m", .bind(source: .context(0), path: "/", writable: false)),
            ("type=bind,target=/m,readwrite=true", "/m", .bind(source: .context(0), path: "/", writable: true)),
            ("type=bind,target=/m,readonly=false", "/m", .bind(source: .context(0), path: "/", writable: true)),
            ("type=bind,target=/m,ro", "/m", .bind(source: .context(0), path: "/", writable: false)),
            ("TYPE=bind,Target=/$V/../m", "/m", .bind(source: .context(0), path: "/", writable: false)),
            (
                #"'type=bind,target=/m,"source=a,b"'"#, "/m",
                .bind(source: .context(0), path: "a,b", writable: false)
            ),
            (#"\"target=/m\",source=/s,\"rw\""#, "/m", .bind(source: .context(0), path: "/s", writable: true)),
            ("type=tmpfs,target=/m", "/m", .tmpfs(size: nil)),
            ("type=tmpfs,target=/m,size=64m", "/m", .tmpfs(size: 64 << 20)),
            ("type=tmpfs,target=/m,size=0", "/m", .tmpfs(size: nil)),
            (
                "type=ssh", "/run/buildkit/ssh_agent.0",
                .ssh(id: "default", required: false, mode: 0o600, uid: 0, gid: 0)
            ),
            (
                "type=ssh,id=k,target=/s,required,mode=0666,uid=1,gid=2", "/s",
                .ssh(id: "k", required: true, mode: 0o666, uid: 1, gid: 2)
            ),
        ] as [(String, String, MountSpec.Kind)]
    )
    func mounts(text: String, target: String, kind: MountSpec.Kind) throws {
        let mount = try mount(text)
        #expect(mount.target == target)
        #expect(mount.kind == kind)
    }

    @Test func caches() throws {
        guard case .cache(let plain) = try mount("type=cache,target=c").kind else {
            Issue.record("no cache")
            return
        }
        #expect(plain.id == "/w/c", "the target is the default id")
        #expect(plain.sharing == .shared && plain.mode == 0o755 && plain.uid == 0 && plain.gid == 0 && !plain.readOnly)
        #expect(plain.source == .none)
        let text = "type=cache,id=i,target=/c,sharing=locked,mode=0700,uid=5,gid=6,ro,from=other,source=/s"
        guard case .cache(let full) = try mount(text).kind else {
            Issue.record("no cache")
            return
        }
        #expect(full.id == "i" && full.sharing == .locked && full.mode == 0o700 && full.uid == 5 && full.gid == 6)
        #expect(full.readOnly && full.path == "/s")
        if case .node = full.source {} else { Issue.record("no stage") }
    }

    @Test func secrets() throws {
        guard case .secret(let plain) = try mount("type=secret,id=k").kind else {
            Issue.record("no secret")
            return
        }
        #expect(plain.id == "k" && !plain.required && plain.isFile && plain.environment == nil && plain.mode == 0o400)
        #expect(try mount("type=secret,id=k").target == "/run/secrets/k")
        guard case .secret(let named) = try mount("type=secret,target=/d/k,required=true,mode=0444,uid=1").kind else {
            Issue.record("no secret")
            return
        }
        #expect(named.id == "k" && named.required && named.mode == 0o444 && named.uid == 1)
        guard case .secret(let variable) = try mount("type=secret,id=k,env=K").kind else {
            Issue.record("no secret")
            return
        }
        #expect(variable.environment == "K" && !variable.isFile)
    }

    @Test(arguments: [
        (#"'type=bind,"target=/m'"#, "a quoted option of --mount does not end"),
        (#"'type=bind,"target=/m"x'"#, "text behind the quoted option of --mount"),
        (#"'type=bind,target="/m"'"#, "a quote within an option of --mount"),
        (#"'target=/m,""'"#, "an option of --mount has no name"),
        (#"'target=/m,"source=a""b"'"#, "quote"),
        ("type=volume,target=/m", "`volume` is no type of mount"), ("type=secret", "needs an id or a target"),
        ("target=/", "cannot be the root directory"), ("type=cache,target=/w/..", "cannot be the root directory"),
        ("type=cache,target=/m,sharing=none", "`none` is no way to share a cache"),
        ("type=cache,target=/m,mode=9", "`9` is no value of `mode`"),
        ("type=secret,id=k,mode=10000", "`10000` is no value of `mode`"),
        ("type=cache,target=/m,uid=x", "no value of `uid`"),
        ("type=cache,target=/m,uid=-1", "no value of `uid`"), ("type=tmpfs,target=/m,size=big", "`big` is no size"),
        ("type=bind,target=/m,size=1", "has no option `size`"), ("target=/m,nonsense=1", "has no option `nonsense`"),
        ("type=bind,target=/m,rw=maybe", "`maybe` is no value of `rw`"), ("target=/m,from=$V", "cannot hold variables"),
        ("target=/m,from=9", "there is no stage number 9"),
        ("type=secret,id=k,required=x", "`x` is no value of `required`"),
        ("type=ssh,from=other", "has no option `from`"), ("type=tmpfs,target=/m,from=other", "has no option `from`"),
        ("type=secret,id=k,from=other", "has no option `from`"),
    ])
    func mountsThatCannotBe(text: String, message: String) {
        let error = #expect(throws: Diagnostic.self) { try mount(text) }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        #expect(error?.range != nil)
    }

    @Test func aMountsStageIsAnInput() throws {
        let plan = try plan("FROM one AS a\nRUN made\nFROM two\nRUN --mount=from=a,target=/m x\n")
        let made = try #require(plan.graph.nodes.firstIndex { $0.display.instruction == "RUN made" })
        let step = try #require(plan.graph.nodes.last)
        #expect(step.inputs.contains(NodeID(index: made)))
        #expect(plan.neededSteps.contains("RUN made"))
    }

    // MARK: Runs

    @Test func whatAStepRunsWith() throws {
        let plan = try plan("FROM base\nENV A=1 B=2\nARG C=3\nUSER u\nWORKDIR /w\nENV A=4\nRUN x\n")
        let run = try #require(plan.runs.last)
        #expect(run.environment.dropFirst() == ["A=4", "B=2", "C=3"])
        #expect(run.environment.first?.hasPrefix("PATH=") == true)
        #expect(run.user == "u" && run.workingDirectory == "/w")
        #expect(run.arguments == ["/bin/sh", "-c", "x"])
    }

    @Test(arguments: [
        ("RUN x", NetworkMode.default, NetworkMode.default), ("RUN --network=none x", .default, .none),
        ("RUN --network=default x", .none, .none), ("RUN x", .host, .host), ("RUN --network=host x", .host, .host),
        ("RUN --network=none x", .host, .none),
    ])
    func networks(text: String, given: NetworkMode, expected: NetworkMode) throws {
        #expect(try plan("FROM base\n\(text)") { $0.network = given }.runs.first?.network == expected)
    }

    @Test func theCommandLineAllowsWhatTheFileAsksFor() throws {
        let steps = try plan("FROM base\nRUN --network=host x\nRUN --security=insecure y\nRUN z") {
            $0.sandbox.entitlements = [.networkHost, .securityInsecure]
        }.runs
        #expect(steps.map(\.network) == [.host, .default, .default])
        #expect(steps.map(\.isInsecure) == [false, true, false])
    }

    @Test(arguments: [
        ("RUN --network=host x", "not allowed"), ("RUN --network=bridge x", "unknown network mode"),
        ("RUN --security=insecure x", "not allowed"), ("RUN --security=loose x", "unknown security mode"),
        ("COPY a b /c", "needs a directory as its destination"),
        ("COPY http://h/f /", "does not fetch"), ("ADD https://h/x.git#-x /", "no name of a branch"),
        ("ADD https://h/x.git?what=1 /", "no query"), ("COPY --chmod=9 a /", "is no mode"),
        ("ADD --checksum=xyz https://h/x.git /", "is no commit"),
        ("ADD --checksum=abcdef0 https://h/x.git?commit=1234567 /", "two commits"),
        ("ADD --checksum=sha256:12 http://h/f /", "--checksum"),
        ("ADD --checksum=sha256:\(String(repeating: "a", count: 64)) f /", "that a URL"),
    ])
    func stepsThatCannotBe(text: String, message: String) {
        let error = #expect(throws: Diagnostic.self) { try plan("FROM base\n\(text)") }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test(arguments: [
        ("COPY a b", "/w/b"), ("COPY a .", "/w/"), ("COPY a ./", "/w/"), ("COPY a /x/", "/x/"), ("COPY a /x/..", "/"),
        ("COPY a b c/", "/w/c/"), ("COPY a ../y", "/y"), ("COPY a /", "/"), ("COPY a $D", "/dest"),
        ("COPY a b .", "/w/"), ("COPY a \"\"", "/w/"), ("COPY a b $UNSET", "/w/"),
    ])
    func destinations(text: String, expected: String) throws {
        let plan = try plan("FROM base\nENV D=/dest\nWORKDIR /w\n\(text)")
        #expect(plan.copies.first?.destination == expected)
    }

    @Test func hereDocumentsComeAfterThePaths() throws {
        let plan = try plan("FROM base\nCOPY <<A a <<B b /x/\n1\nA\n2\nB\n")
        #expect(plan.history == ["COPY a b <<A <<B /x/"])
        #expect(plan.copies.first?.sources.map(\.name) == ["a", "b", "<<A", "<<B"])
    }

    @Test(arguments: [
        "type=Cache,target=/x", "type=cache,from=scratch,target=/x", "type=tmpfs,target=/x,rw",
        "type=secret,id=s,readonly", "type=ssh,ro=T",
        "target=/x,rw=t", "target=/x,ro=F",
    ])
    func mountsInLessUsualWords(text: String) throws {
        #expect(try plan("FROM base\nRUN --mount=\(text) x").runs.first?.mounts.count == 1)
    }

    @Test func flagsOfACopy() throws {
        let text = "COPY --from=base --chown=$U:g --chmod=u=rw --link --parents --exclude=*.log --exclude=$U a /x/"
        let step = try #require(try plan("FROM base\nARG U=me\n\(text)").copies.first)
        #expect(step.owner == "me:g" && step.mode == "u=rw" && step.link && step.parents)
        #expect(step.excludes == ["*.log", "me"])
        let archive = try #require(try plan("FROM base\nADD --unpack=false a.tar /x/").copies.first)
        #expect(archive.unpack == false && archive.isAdd)
    }

    @Test func cachePolicies() throws {
        let text = "FROM base AS a\nRUN a\nFROM base AS b\nRUN b\nFROM a\nCOPY --from=b /x /\n"
        func ignoring(_ policy: CachePolicy) throws -> [String] {
            try plan(text) { $0.cachePolicy = policy }.graph.nodes.filter(\.display.ignoresCache).map(
                \.display.instruction
            )
            .filter { !$0.hasPrefix("FROM") }
        }
        #expect(try ignoring(.use) == [])
        #expect(try ignoring(.ignore) == ["RUN a", "RUN b", "COPY --from=b /x /"])
        #expect(try ignoring(.ignoreStages(["B"])) == ["RUN b"])
        #expect(try ignoring(.ignoreStages(["0", "2"])) == ["RUN a", "COPY --from=b /x /"])
    }

    @Test(arguments: ["from=a", "type=cache,id=x", "type=tmpfs", "source=b"])
    func aMountWithoutATargetIsTheWorkingDirectory(text: String) throws {
        let head = "FROM scratch AS a\nFROM scratch\n"
        let built = try plan(head + "WORKDIR /work\nRUN --mount=\(text) x\n")
        #expect(built.runs.first?.mounts.first?.target == "/work")
        let error = #expect(throws: Diagnostic.self) { try plan(head + "RUN --mount=\(text) x\n") }
        #expect(error?.message == "the mount needs a target")
    }
}
