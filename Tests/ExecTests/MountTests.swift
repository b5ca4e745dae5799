import Exec
import Glibc
import SystemPackage
import Testing

/// What is mounted into a step, where, and what becomes of what the step writes there.
@Suite struct MountTests {
    let root: TestRoot

    init() throws {
        root = try TestRoot()
        for name in ["host/d", "host/sub"] { try root.makeDirectory(name) }
        try root.write("a\n", to: "host/a.txt")
        try root.write("b\n", to: "host/b.txt")
        try root.write("f\n", to: "host/d/f")
        try root.write("sub a\n", to: "host/sub/a.txt")
        try root.link(to: "/etc", at: "host/out")
        try root.link(to: "../../../../d", at: "host/above")
        try root.link(to: "/d", at: "host/absolute")
    }

    private func bind(
        _ target: String,
        _ relative: String = "",
        readOnly: Bool = true
    ) -> SandboxPlan.Mount {
        let kind = SandboxPlan.Mount.Kind.bind(
            source: root.path("host"),
            relative: relative,
            readOnly: readOnly,
            recursive: true
        )
        return SandboxPlan.Mount(target: target, kind: kind)
    }

    private func discarded(_ target: String, _ lower: [String], _ relative: String = "") throws -> SandboxPlan.Mount {
        let step = try root.newStep()
        let kind = SandboxPlan.Mount.Kind.discardedWrites(
            lower: lower.map(root.path),
            relative: relative,
            upper: root.upper(step),
            work: root.path("steps/\(step)/work")
        )
        return SandboxPlan.Mount(target: target, kind: kind)
    }

    private func file(_ target: String, _ text: String, mode: UInt32 = 0o400) -> SandboxPlan.Mount {
        let contents = Array(text.utf8)
        return .init(target: target, kind: .file(contents: contents, mode: mode, uid: 7, gid: 8, readOnly: true))
    }

    @Test func bindsReadOnly() throws {
        let script =
            "cat /m/a.txt; for c in 'echo x > /m/a.txt' 'rm /m/a.txt' 'touch /m/n'; do sh -c \"$c\" && echo no; done"
        #expect(try root.plan(script, mounts: [bind("/m")], stubs: ["m/"]).run().output == "a\n")
        #expect(root.read("host/a.txt") == "a\n")
    }

    @Test func bindsForWriting() throws {
        let plan = try root.plan("echo new > /m/new", mounts: [bind("/m", readOnly: false)], stubs: ["m/"])
        #expect(try plan.output() == "")
        #expect(root.read("host/new") == "new\n")
        #expect(TestRoot.names(in: plan.root.upperDirectory) == [])
    }

    @Test(arguments: [
        ("a.txt", "m", "cat /m", "a\n"), ("d/f", "m", "cat /m", "f\n"), ("d", "m/", "ls /m", "f\n"),
        ("above/f", "m", "cat /m", "f\n"), ("absolute/f", "m", "cat /m", "f\n"), ("../../d", "m/", "ls /m", "f\n"),
        ("/./d//", "m/", "ls /m", "f\n"),
    ])
    func findsSourcesBeneathTheirRoot(relative: String, stub: String, script: String, expected: String) throws {
        #expect(try root.plan(script, mounts: [bind("/m", relative)], stubs: [stub]).output() == expected)
    }

    @Test(arguments: ["out/passwd", "not-there.txt", "../etc/passwd", "out/../../etc/passwd", "a.txt/x"])
    func refusesSourcesThatAreNotThere(relative: String) throws {
        let plan = try root.plan("cat /m", mounts: [bind("/m", relative)], stubs: ["m"])
        let error = try #require(failure(of: plan))
        guard case .mountSource(let text) = error.stage else {
            Issue.record("\(error)")
            return
        }
        #expect(text.contains(relative))
    }

    @Test func throwsWritesAway() throws {
        let script = "echo changed > /m/a.txt; rm /m/b.txt; echo new > /m/sub/new; cat /m/a.txt; ls /m /m/sub"
        let plan = try root.plan(script, mounts: [try discarded("/m", ["host"])], stubs: ["m/"])
        #expect(try plan.output() == "changed\n/m:\na.txt\nabove\nabsolute\nd\nout\nsub\n\n/m/sub:\na.txt\nnew\n")
        #expect(root.read("host/a.txt") == "a\n")
        #expect(root.read("host/b.txt") == "b\n")
        #expect(TestRoot.names(in: root.path("host/sub")) == ["a.txt"])
        #expect(TestRoot.names(in: plan.root.upperDirectory) == [])
    }

    @Test func throwsWritesToAPartAway() throws {
        for (relative, stub, script) in [
            ("sub", "m/", "echo x > /m/a.txt; cat /m/a.txt"), ("a.txt", "m", "echo x > /m; cat /m"),
            ("above/f", "m", "echo x > /m; cat /m"),
        ] {
            let plan = try root.plan(script, mounts: [try discarded("/m", ["host"], relative)], stubs: [stub])
            #expect(try plan.output() == "x\n")
        }
        #expect(root.read("host/a.txt") == "a\n")
        #expect(root.read("host/sub/a.txt") == "sub a\n")
        #expect(root.read("host/d/f") == "f\n")
    }

    @Test func showsStacksOfLayers() throws {
        for (name, text) in [("one", "1"), ("two", "2"), ("three", "3")] {
            try root.makeDirectory(name)
            try root.makeDirectory("\(name)/p")
            try root.write(text, to: "\(name)/p/\(name)")
            try root.write(text, to: "\(name)/p/top")
        }
        func layers(_ target: String, _ lower: [String], _ relative: String) -> SandboxPlan.Mount {
            .init(target: target, kind: .layers(lower: lower.map(root.path), relative: relative))
        }
        let mounts = [
            layers("/m", ["one", "two", "three"], ""), layers("/n", ["two", "three"], "/p"),
            layers("/o", ["three"], "p/top"), layers("/q", ["one", "two"], "p/../p/top"),
        ]
        let script =
            "ls /m/p; cat /n/top /o /q; touch /m/x /n/top /o /q 2>/dev/null || echo; mkdir /m/y || echo refused"
        let ran = try root.plan(script, mounts: mounts, stubs: ["m/", "n/", "o", "q"]).run()
        #expect(ran.output == "one\nthree\ntop\ntwo\n231\nrefused\n")
    }

    @Test func givesBoundedMemory() throws {
        let mounts = [
            SandboxPlan.Mount(target: "/t", kind: .tmpfs(size: nil, mode: 0o1777)),
            SandboxPlan.Mount(target: "/s", kind: .tmpfs(size: 1 << 20, mode: 0o700)),
        ]
        let script = """
            stat -c %a /t /s; echo x > /t/x; cat /t/x; grep ' /t ' /proc/mounts | cut -d ' ' -f 3
            head -c 900000 /dev/zero > /s/a && head -c 900000 /dev/zero > /s/b || echo full
            """
        #expect(
            try root.plan(script, mounts: mounts, stubs: ["t/", "s/"]).run().output == "1777\n700\nx\ntmpfs\nfull\n"
        )
    }

    @Test func givesFilesThatAreInMemoryOnly() throws {
        let mounts = [file("/secret", "open sesame\n", mode: 0o441)]
        let script = "stat -c '%a %u:%g %s' /secret; cat /secret; echo x > /secret || echo refused"
        let plan = try root.plan(script, mounts: mounts, stubs: ["secret"])
        #expect(try plan.run().output == "441 7:8 12\nopen sesame\nrefused\n")
        #expect(TestRoot.names(in: plan.root.upperDirectory) == [])
        let large = String(repeating: "0123456789", count: 300_000)
        #expect(try root.plan("wc -c < /big", mounts: [file("/big", large)], stubs: ["big"]).output() == "3000000\n")
    }

    @Test func makesMountPointsInsideMountsThatCanBeWrittenTo() throws {
        let mounts = [
            SandboxPlan.Mount(target: "/m", kind: .tmpfs(size: nil, mode: 0o755)), bind("/m/in/a.txt", "a.txt"),
            bind("/m/o", "d"), try discarded("/w", ["host"]), bind("/w/deep/er/b.txt", "b.txt"), bind("/c"),
            bind("/c/sub/a.txt", "b.txt"), file("/dev/secret", "s\n"),
        ]
        let script = "cat /m/in/a.txt /m/o/f /w/deep/er/b.txt /c/sub/a.txt /dev/secret; ls /m"
        let plan = try root.plan(script, mounts: mounts, stubs: ["m/", "w/", "c/"])
        #expect(try plan.output() == "a\nf\nb\nb\ns\nin\no\n")
        #expect(TestRoot.names(in: plan.root.upperDirectory) == [])
        #expect(!TestRoot.names(in: root.path("host")).contains("deep"))
    }

    @Test(arguments: ["/missing", "/missing/deep", "/c/missing", "/etc/missing", "/up/missing"])
    func refusesMountPointsThatAreMissing(target: String) throws {
        try root.makeDirectory("base/real")
        try root.link(to: "../../real", at: "base/up")
        let plan = try root.plan("true", mounts: [bind("/c"), bind(target, "d")], stubs: ["c/"])
        let error = try #require(failure(of: plan))
        #expect(error.stage == .mountPoint(target))
        #expect(error.description.contains("mount point missing"))
        #expect(error.description.contains(target))
        #expect(TestRoot.names(in: plan.root.upperDirectory) == [], "no trace of it")
    }

    @Test func keepsTargetsBehindLinksInsideTheRoot() throws {
        for name in ["base/real", "base/real/m", "base/inside", "base/inside/m"] { try root.makeDirectory(name) }
        try root.link(to: "/real", at: "base/link")
        try root.link(to: "../../../../../../inside", at: "base/up")
        let plan = try root.plan(
            "cat /real/m/a.txt /inside/m/f; readlink /link",
            mounts: [bind("/link/m"), bind("/up/m", "d")],
            stubs: []
        )
        #expect(try plan.output() == "a\nf\n/real\n")
    }

    @Test(arguments: ["/", "/.", "/..", "/root-link", "//bin/.."])
    func coversNoRoot(target: String) throws {
        try root.link(to: "/", at: "base/root-link")
        let mount = SandboxPlan.Mount(target: target, kind: .tmpfs(size: nil, mode: 0o755))
        let error = try #require(failure(of: try root.plan("true", mounts: [mount], stubs: [])))
        #expect(error.errno == .resourceBusy)
    }

    @Test func refusesImagesThatRedirectTheKernelsDirectories() throws {
        for name in ["proc", "sys", "dev"] {
            rmdir(root.path("base/\(name)"))
            try root.link(to: "/tmp", at: "base/\(name)")
            #expect(failure(of: try root.plan("true"))?.stage == .mountPoint("/\(name)"))
            unlink(root.path("base/\(name)"))
            try root.makeDirectory("base/\(name)")
        }
    }

    @Test func leavesTheHostsMountsAsTheyWere() throws {
        let before = TestRoot.read("/proc/self/mountinfo")
        let mounts = [try discarded("/m", ["host"], "sub"), bind("/n", "d"), file("/f", "x")]
        for _ in 0..<20 {
            _ = try root.plan("ls /m /n", mounts: mounts, stubs: ["m/", "n/", "f"]).with { $0.mounts.removeFirst() }
                .run()
            _ = failure(of: try root.plan("true", mounts: mounts + [bind("/none")], stubs: ["m/", "n/", "f"]))
        }
        #expect(TestRoot.read("/proc/self/mountinfo") == before)
    }
}
