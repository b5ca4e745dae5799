import Exec
import Glibc
import Testing

/// What a plan can give a step beside the defaults.
@Suite struct OptionTests {
    let root: TestRoot

    init() throws {
        root = try TestRoot()
    }

    @Test func setsLimits() throws {
        for credentials in [Credentials.root, Credentials(uid: 1000, gid: 1001)] {
            let plan = try root.plan("ulimit -Sn; ulimit -Hn; ulimit -c").with {
                $0.credentials = credentials
                $0.resourceLimits = [
                    ResourceLimit(.nofile, soft: 100, hard: 200), ResourceLimit(.core, soft: 0, hard: 0),
                ]
            }
            #expect(try plan.output() == "100\n200\n0\n")
        }
    }

    @Test func leavesTheCallersOwnLimitsAlone() throws {
        var before = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &before)
        _ = try root.plan("true").with { $0.resourceLimits = [ResourceLimit(.nofile, soft: 20, hard: 20)] }.run()
        var after = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &after)
        #expect(before.rlim_cur == after.rlim_cur)
        #expect(before.rlim_max == after.rlim_max)
    }

    @Test func saysWhichLimitTheKernelRefuses() throws {
        let limit = ResourceLimit(.nofile, soft: 1, hard: ResourceLimit.unlimited)
        let error = failure(of: try root.plan("true").with { $0.resourceLimits = [limit] })
        #expect(error?.stage == .resourceLimit("nofile=1:unlimited"))
        #expect(error?.description.contains("fs.nr_open") == true)
    }

    @Test func sizesSharedMemory() throws {
        let script = "head -c 2000000 /dev/zero > /dev/shm/x 2> /dev/null || stat -c %s /dev/shm/x"
        #expect(try root.plan(script).with { $0.sharedMemorySize = 1 << 20 }.output() == "1048576\n")
        #expect(try root.plan(script).output() == "")
    }

    @Test func aPrivilegedStepMayDoWhatRootMay() throws {
        let script = """
            grep CapBnd /proc/self/status | cut -f2; grep Seccomp: /proc/self/status | cut -f2
            mount -t tmpfs none /tmp && echo mounted
            test -w /proc/sys/kernel/panic && cat /proc/sys/kernel/panic > /proc/sys/kernel/panic && echo written
            grep -c ' /sys sysfs ro' /proc/self/mounts
            mknod /node c 1 3 && echo x > /node && echo opened
            test -c /dev/fuse && test -c /dev/net/tun && test -b /dev/loop0 && test -c /dev/kmsg && echo devices
            """
        let privileged = try root.plan(script).with {
            $0.isPrivileged = true
            $0.capabilities = .all
            $0.seccomp = .unconfined
        }
        let lines = try privileged.run().output.split(separator: "\n").dropFirst()
        #expect(lines.joined(separator: " ") == "0 mounted written 0 opened devices")
        let confined = try root.plan(script).run().output.split(separator: "\n").dropFirst()
        #expect(confined.joined(separator: " ") == "2 1")
    }

    @Test func takesAUsersFilter() throws {
        let rules = SeccompRules(
            defaultAction: .allow,
            architectures: [],
            rules: [
                SeccompRules.Rule(names: ["mkdir", "mkdirat"], action: .error(28), comparisons: [], place: "rule 1"),
                SeccompRules.Rule(
                    names: ["kill"],
                    action: .error(1),
                    comparisons: [.init(argument: 1, comparison: .equal, value: 10, second: 0)],
                    place: "rule 2"
                ),
            ]
        )
        let program = try SeccompProgram.compiled(rules)
        let script = """
            mkdir /tmp/d 2>&1; mkdir -p /tmp/e/f 2>&1 | grep -c 'No space'
            sleep 9 & kill -10 $! 2>&1 | grep -c 'not permitted'; kill -9 $! && echo killed
            """
        let plan = try root.plan(script).with { $0.seccomp = .program(program) }
        let output = try plan.output()
        #expect(output.contains("No space left"))
        #expect(output.hasSuffix("1\n1\nkilled\n"))
    }

    @Test func namesTheRuleThatCannotBeMade() {
        let rule = SeccompRules.Rule(
            names: ["read"],
            action: .allow,
            comparisons: [.init(argument: 9, comparison: .equal, value: 0, second: 0)],
            place: "syscalls[7]"
        )
        let rules = SeccompRules(defaultAction: .error(1), architectures: [], rules: [rule])
        let error = #expect(throws: SandboxError.self) { try SeccompProgram.compiled(rules) }
        #expect(error?.description.contains("syscalls[7] (read)") == true)
    }
}
