import Exec
import Glibc
import Synchronization
import SystemPackage
import Testing

/// Steps in sandboxes that were prepared before.
@Suite(.serialized) struct LaneTests {
    private let root: TestRoot

    init() throws {
        root = try TestRoot()
        try root.makeDirectory("lane", mode: 0o700)
    }

    private func lane(
        _ plan: SandboxPlan,
        remains: SandboxRemains = SandboxRemains(),
        hasMore: Bool = true
    ) -> SandboxLane {
        SandboxLane(for: plan, directory: root.path("lane"), remains: remains) { hasMore }
    }

    @Test func aStepSeesWhatItWouldSeeWithoutALane() throws {
        let script = """
            hostname; id; cat /proc/self/mountinfo | cut -d' ' -f5- | sort; ls -l /dev | cut -c1-10,50-; ls /proc/self/fd
            tr -d '0-9\\000' < /proc/1/cmdline; grep -E 'Cap|Seccomp|NoNewPrivs' /proc/self/status; ls -A /; echo $$
            """
        let lane = lane(try root.plan("true"))
        let expected = try root.plan(script).output()
        for _ in 0..<3 {
            let ran = try root.plan(script).run(lane: lane)
            #expect(ran.status == .exited(0))
            // What differs by design: each work directory has its own name.
            #expect(Self.withoutDirectories(ran.output) == Self.withoutDirectories(expected))
        }
    }

    private static func withoutDirectories(_ text: String) -> [Substring] {
        text.split(separator: "\n").map { line in line.prefix { $0 != "," } }
    }

    @Test func stepsSeeNothingOfTheOnesBefore() throws {
        let lane = lane(try root.plan("true"))
        let first = try root.plan("echo x > /dev/shm/x; echo y > /dev/y; hostname other; mkdir /made").run(lane: lane)
        #expect(first.status == .exited(0) || first.error.contains("hostname"))
        let second = try root.plan("ls /dev/shm; ls /dev/y /made 2>&1 | wc -l; hostname").run(lane: lane)
        #expect(second.output == "2\nsandbox\n")
        #expect(TestRoot.names(in: root.path("lane")).isEmpty)
    }

    private static func file(_ text: String, at target: String = "/etc/motd") -> SandboxPlan.Mount {
        .init(target: target, kind: .file(contents: Array(text.utf8), mode: 0o640, uid: 0, gid: 7, readOnly: false))
    }

    @Test func filesThatAllStepsHaveAreEachStepsOwn() throws {
        try root.write("of the image", to: "base/etc/motd")
        let shared = try root.plan("true").with { $0.mounts = [Self.file("shared\n")] }
        let lane = lane(shared)
        let script = "stat -c '%a %g' /etc/motd; cat /etc/motd; echo more >> /etc/motd; cat /etc/motd | wc -l"
        for _ in 0..<3 {
            let ran = try root.plan(script).with { $0.mounts = [Self.file("shared\n")] }.run(lane: lane)
            #expect(ran.output == "640 7\nshared\n2\n", "\(ran)")
        }
        let other = try root.plan(script).with { $0.mounts = [Self.file("another\n")] }.run(lane: lane)
        #expect(other.output == "640 7\nanother\n2\n", "\(other)")
        let without = try root.plan("cat /etc/motd").run(lane: lane)
        #expect(without.output == "of the image", "\(without)")
    }

    @Test func aStepMayHaveMoreCapabilitiesThanTheLanesFirst() throws {
        let lane = lane(try root.plan("true").with { $0.capabilities = [.chown] })
        let script = "grep CapBnd /proc/self/status | cut -f2"
        for capabilities in [CapabilitySet.chown, .docker, [], .chown] {
            let plan = try root.plan(script).with { $0.capabilities = capabilities }
            #expect(try plan.run(lane: lane).output == Self.hexadecimal(capabilities), "\(capabilities)")
        }
    }

    private static func hexadecimal(_ capabilities: CapabilitySet) -> String {
        let text = String(capabilities.rawValue, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text + "\n"
    }

    @Test func errorsAreThoseOfAStepWithoutALane() throws {
        let lane = lane(try root.plan("true"))
        let plans = [
            try root.plan(arguments: ["/bin/missing"]),
            try root.plan("true").with { $0.workingDirectory = "/etc/passwd" },
            try root.plan("true").with {
                $0.mounts = [.init(target: "/nowhere", kind: .tmpfs(size: nil, mode: 0o755))]
            },
        ]
        for plan in plans {
            let expected = try #require(failure(of: plan))
            do {
                _ = try root.fresh(plan).run(lane: lane)
                Issue.record("the step ran: \(expected)")
            } catch {
                #expect(error as? SandboxError == expected)
            }
        }
        #expect(try root.plan("echo still").run(lane: lane).output == "still\n")
    }

    @Test func whatCannotBePreparedFailsWithTheStep() throws {
        let plan = try root.plan("true")
        let lane = SandboxLane(for: plan, directory: root.path("no-such-directory"), remains: SandboxRemains()) { true }
        lane.prepare()
        do {
            _ = try plan.run(lane: lane)
            Issue.record("the step ran")
        } catch {
            #expect("\(error)".contains("no-such-directory"), "\(error)")
        }
    }

    @Test func aPreparedSandboxEndsWithItsLane() throws {
        let before = TestRoot.sandboxes()
        var new: Set<String> = []
        do {
            let lane = lane(try root.plan("true"))
            #expect(try root.plan("echo a").run(lane: lane).output == "a\n")
            lane.prepare()
            while new.isEmpty {
                usleep(1000)
                new = TestRoot.sandboxes().subtracting(before)
            }
        }
        // The kernel needs a moment to take it down. Sandboxes of other tests may be among them: they end, too.
        var patience = 20_000
        while patience > 0, !TestRoot.sandboxes().isDisjoint(with: new) {
            patience -= 1
            usleep(1000)
        }
        #expect(patience > 0)
    }

    /// With an index, overlay refuses layers that another mount writes to (overlayfs.rst, "Sharing and copying layers").
    @Test func whatAStepWroteIsFreeWhenItsRemainsAreGone() throws {
        let remains = SandboxRemains()
        let lane = lane(try root.plan("true"), remains: remains)
        for number in 0..<20 {
            let above = "above-\(number)"
            for name in ["", "/upper", "/work", "/merged"] { try root.makeDirectory("\(above)\(name)", mode: 0o755) }
            let plan = try root.plan("echo x > /x")
            #expect(try plan.run(lane: lane).status == .exited(0))
            remains.wait()
            let places = "upperdir=\(root.path("\(above)/upper")),workdir=\(root.path("\(above)/work"))"
            let options = "index=on,lowerdir=\(plan.root.upperDirectory),\(places)"
            let merged = root.path("\(above)/merged")
            let mounted = options.withCString { mount("overlay", merged, "overlay", 0, $0) }
            #expect(mounted == 0, "\(Errno(rawValue: errno))")
            if mounted == 0 { #expect(umount(merged) == 0) }
        }
    }

    @Test func aSupervisedStepIsAnsweredToo() throws {
        let lane = lane(try root.plan("true"))
        let asked = Atomic<Int>(0)
        let supervisor = Refuser(asked: { asked.add(1, ordering: .relaxed) })
        let supervision = Supervision(filter: try CallFilter(supervisor.traps), supervisors: [supervisor])
        for _ in 0..<3 {
            let ran = try root.plan("mkdir /tmp/d 2>&1 || true").run(Cancellation(), supervision, lane: lane)
            #expect(ran.output.contains("Disk quota exceeded"), "\(ran)")
        }
        #expect(asked.load(ordering: .relaxed) == 3)
        #expect(try root.plan("mkdir /tmp/d && echo made").run(lane: lane).output == "made\n")
    }

    @Test func otherUsersHaveTheirStreams() throws {
        let lane = lane(try root.plan("true"))
        let plan = try root.plan("id -u; echo through > /dev/stdout").with {
            $0.credentials = Credentials(uid: 1000, gid: 1001)
        }
        #expect(try plan.run(lane: lane).output == "1000\nthrough\n")
        // The memory that the process had in common with this one is as open as it was.
        #expect(TestRoot.read("/proc/self/environ") != nil)
        #expect(try root.plan("id -u").run(lane: lane).output == "0\n")
    }

    @Test func stepsThatNeedMoreRunWithoutIt() throws {
        let lane = lane(try root.plan("true"))
        let other = "readlink /proc/self/ns/net"
        let ran = try root.plan(other).with { $0.network = .host }.run(lane: lane)
        #expect(try ran.output != root.plan(other).run(lane: lane).output)
        let privileged = try root.plan("test -e /dev/kmsg && echo there").with { $0.isPrivileged = true }
        #expect(try privileged.run(lane: lane).output == "there\n")
    }

    @Test func aCancelledStepLeavesTheLaneAsItWas() throws {
        let lane = lane(try root.plan("true"))
        let cancellation = Cancellation()
        let outcome = try root.plan("echo ready; sleep 1000").run(
            cancellation: cancellation,
            lane: lane
        ) { _, _ in cancellation.cancel() }
        #expect(outcome.status == .signaled(SIGKILL))
        #expect(try root.plan("echo next").run(lane: lane).output == "next\n")
    }
}

/// Refuses to make directories.
private struct Refuser: CallSupervisor {
    let asked: @Sendable () -> Void
    let traps = [CallTrap(["mkdir", "mkdirat"])]

    func answer(_ call: borrowing TrappedCall) -> CallAnswer {
        asked()
        return .failure(.diskQuotaExceeded)
    }
}
