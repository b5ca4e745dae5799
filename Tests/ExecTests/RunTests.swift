import Glibc
import Testing

@testable import Exec

/// What a step sees of its surroundings, and what the caller learns of the step.
@Suite struct RunTests {
    let root: TestRoot

    init() throws {
        root = try TestRoot()
    }

    @Test func runsAsAChildOfTheReaperWithRootsIdentity() throws {
        let text = try root.plan("id -u; id -g; id -G; echo $$; cat /proc/1/comm").output()
        #expect(text == "0\n0\n0\n2\ninit\n")
    }

    @Test(arguments: [
        ("exit 0", Exec.ExitStatus.exited(0)), ("exit 7", .exited(7)), ("exit 255", .exited(255)),
        ("kill -TERM $$", .signaled(SIGTERM)), ("kill -KILL $$", .signaled(SIGKILL)),
        ("kill -SEGV $$", .signaled(SIGSEGV)), ("(exit 3) & wait; exit 0", .exited(0)),
    ])
    func tellsHowTheCommandEnded(script: String, expected: Exec.ExitStatus) throws {
        #expect(try root.plan(script).run().status == expected)
    }

    @Test func keepsTheStreamsApart() throws {
        let ran = try root.plan("echo out; echo err >&2; cat").run()
        #expect(ran.output == "out\n")
        #expect(ran.error == "err\n")
        #expect(ran.status == .exited(0), "standard input is empty")
    }

    @Test func handsOnMoreThanAPipeHolds() throws {
        let ran = try root.plan("head -c 3000000 /dev/zero; head -c 1000000 /dev/zero >&2").run()
        #expect(ran.output.utf8.count == 3_000_000)
        #expect(ran.error.utf8.count == 1_000_000)
    }

    @Test func hasTheEnvironmentOfThePlanAndNothingElse() throws {
        var plan = try root.plan(arguments: ["/bin/cat", "/proc/self/environ"])
        plan.environment = ["B=2", "A=1", "EMPTY=", "LINE=x\ny"]
        #expect(try plan.output() == "B=2\0A=1\0EMPTY=\0LINE=x\ny\0")
    }

    @Test func looksProgramsUpInThePath() throws {
        for environment in [["PATH=/nowhere:/bin/echo:/bin"], ["PATH=:/bin"], []] {
            let plan = try root.plan(arguments: ["echo", "found"]).with { $0.environment = environment }
            #expect(try plan.output() == "found\n")
        }
    }

    @Test func startsWithItsHostNameMaskAndDirectory() throws {
        let script = "hostname; cat /proc/sys/kernel/domainname; umask; pwd"
        #expect(try root.plan(script).output() == "sandbox\n\n0022\n/\n")
        let changed = try root.plan(script).with {
            $0.hostname = "wörk"
            $0.umask = 0o077
            $0.workingDirectory = "/etc"
        }
        #expect(try changed.output() == "wörk\n\n0077\n/etc\n")
        #expect(SandboxPlan(root: changed.root, arguments: ["true"]).hostname == "swbuild")
    }

    @Test func makesAMissingWorkingDirectoryInTheLayer() throws {
        let plan = try root.plan("pwd; stat -c '%a %u:%g' /a /a/b /a/b/c").with {
            $0.workingDirectory = "/a//b/./c/"
            $0.credentials = Credentials(uid: 1000, gid: 1001)
        }
        #expect(try plan.output() == "/a/b/c\n755 0:0\n755 0:0\n755 0:0\n")
        #expect(TestRoot.names(in: plan.root.upperDirectory) == ["a"])
    }

    @Test func leavesTheLayerAndNoTraceOfItsOwn() throws {
        let plan = try root.plan("echo x > /new; rm /etc/passwd; echo y > /dev/made; echo z > /dev/shm/z")
        _ = try plan.output()
        #expect(TestRoot.names(in: plan.root.upperDirectory) == ["etc", "new"])
        #expect(TestRoot.read("\(plan.root.upperDirectory)/new") == "x\n")
        #expect(root.read("base/etc/passwd") != nil)
    }

    @Test func runsAsAnotherUser() throws {
        let plan = try root.plan("id -u; id -g; id -G; echo x > /etc/x || echo refused").with {
            $0.credentials = Credentials(uid: 1000, gid: 1001, supplementaryGroups: [50, 60])
        }
        let ran = try plan.run()
        #expect(ran.output == "1000\n1001\n1001 50 60\nrefused\n")
    }

    @Test(arguments: [Credentials.root, Credentials(uid: 1000, gid: 1001), Credentials(uid: 4242, gid: 0)])
    func letsEveryUserOpenItsStreams(credentials: Credentials) throws {
        let ran = try root.plan("echo out > /dev/stdout; echo err > /dev/stderr; cat /dev/stdin; cat < /dev/fd/0")
            .with { $0.credentials = credentials }.run()
        #expect(ran.status == .exited(0))
        #expect(ran.output == "out\n")
        #expect(ran.error == "err\n")
    }

    @Test func hasSignalsAtTheirDefaults() throws {
        let blocked = try root.plan("grep -E '^Sig(Blk|Ign|Cgt):' /proc/self/status | cut -f 2 | sort -u").output()
        #expect(blocked == "0000000000000000\n")
        let pipe = try root.plan("(yes; echo $? >&2) | head -n 1").run()
        #expect(pipe.error == "141\n")
    }

    @Test func reportsWhatItUsed() throws {
        let outcome = try root.plan("dd if=/dev/zero of=/dev/null bs=200M count=1").run().outcome
        #expect(outcome.status == .exited(0))
        #expect(outcome.userTime + outcome.systemTime > 0)
        #expect(outcome.peakMemory > 200_000_000, "dd has a buffer of its block size")
    }

    @Test func standsOnHundredsOfLayers() throws {
        let layers = (0..<300).map { "layer-\($0)" }
        for layer in layers {
            try root.makeDirectory(layer)
            try root.write(layer, to: "\(layer)/\(layer)")
            try root.write(layer, to: "\(layer)/top")
        }
        let plan = try root.plan("cat /top; echo; ls / | grep -c layer", layers: layers)
        #expect(try plan.output() == "layer-0\n300\n")
    }

    @Test func standsOnLayersOnKernelsBeforeTheirNewMountOption() throws {
        let layers = (0..<100).map { "layer,\($0):" }
        for layer in layers {
            try root.makeDirectory(layer)
            try root.write(layer, to: "\(layer)/top")
        }
        let plan = try root.plan("cat /top; echo x > /x; mknod /n c 1 3; cat /n || echo refused", layers: layers)
            .with { $0.root.usesFormerMount = true }
        #expect(try plan.output() == "layer,0:refused\n")
        #expect(TestRoot.names(in: plan.root.upperDirectory) == ["n", "x"])
    }

    @Test func standsOnLayersWithAwkwardPaths() throws {
        let parent = String(repeating: "p", count: 200)
        try root.makeDirectory(parent)
        let layers = [
            "colon:and,comma", "back\\slash", "space and\ttab", "\(parent)/\(String(repeating: "d", count: 200))",
        ]
        for (index, layer) in layers.enumerated() {
            try root.makeDirectory(layer)
            try root.write("\(index)", to: "\(layer)/\(index)")
        }
        #expect(try root.plan("cat /0 /1 /2 /3", layers: layers).output() == "0123")
    }
}
