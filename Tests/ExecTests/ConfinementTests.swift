import Exec
import Glibc
import SystemPackage
import Testing

/// What a step, root's or another user's, must not see and must not be able to do.
@Suite struct ConfinementTests {
    let root: TestRoot

    init() throws {
        root = try TestRoot()
    }

    private static let user = Credentials(uid: 1000, gid: 1001)

    @Test func givesRootDockersCapabilitiesAndOthersNone() throws {
        let script = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status | tr '\\n' ' '"
        func status(_ inherited: String, _ own: String, bounding: String = "00000000a80425fb") -> String {
            "CapInh:\t\(inherited) CapPrm:\t\(own) CapEff:\t\(own) CapBnd:\t\(bounding) CapAmb:\t\(inherited) "
        }
        let none = "0000000000000000"
        #expect(try root.plan(script).output() == status(none, "00000000a80425fb") + "NoNewPrivs:\t0 Seccomp:\t2 ")
        let user = try root.plan(script).with { $0.credentials = Self.user }
        #expect(try user.output() == status(none, none) + "NoNewPrivs:\t0 Seccomp:\t2 ")
        let bare = try root.plan(script).with {
            $0.capabilities = [.chown]
            $0.noNewPrivileges = true
            $0.seccomp = .unconfined
        }
        let expected = status(none, "0000000000000001", bounding: "0000000000000001") + "NoNewPrivs:\t1 Seccomp:\t0 "
        #expect(try bare.output() == expected)
    }

    @Test func letsSetUserIDProgramsWork() throws {
        try root.write(try #require(root.read("base/etc/passwd")).replacingRoot(), to: "base/etc/passwd")
        let script = "cp /bin/busybox /tmp/su; chmod 4755 /tmp/su; su build -c '/tmp/su root -c \"id -u\"'"
        #expect(try root.plan(script).run().output == "0\n")
        let refused = try root.plan(script).with { $0.noNewPrivileges = true }
        #expect(try refused.run().output != "0\n")
    }

    @Test(arguments: [
        "mount -t tmpfs none /tmp", "mount -o remount,rw /sys", "umount /proc", "hostname evil", "unshare -m true",
        "unshare -U true", "unshare -n true", "echo 1 > /proc/sys/kernel/panic", "echo h > /proc/sysrq-trigger",
        "mkdir /sys/fs/made", "ls /proc/1/root/", "ls /proc/1/cwd/", "readlink /proc/1/fd/*", "echo x > /proc/1/fd/*",
        "cat /proc/1/mem", "cat /proc/1/environ | grep .", "cat /proc/1/maps | grep .", "readlink /proc/1/exe",
        "chroot /tmp /bin/true", "ifconfig lo down", "kill -KILL 1 && sleep 5",
    ])
    func refuses(command: String) throws {
        for credentials in [Credentials.root, Self.user] {
            let ran = try root.plan("(\(command)) && echo done").with { $0.credentials = credentials }.run()
            guard command.hasPrefix("kill") else {
                #expect(!ran.output.contains("done"), "as \(credentials)")
                continue
            }
            #expect(credentials.uid != 0 || ran.output.contains("done"), "PID 1 does not die of a signal from within")
        }
    }

    @Test func showsNothingOfTheCallersCommandLine() throws {
        // The step's own numbers: the command's process, a descriptor, when it began.
        let words = try root.plan("tr '\\0' ' ' < /proc/1/cmdline").output().split(separator: " ")
        #expect(words.first == "init" && words.count > 1)
        #expect(words.dropFirst().allSatisfy { Int($0) != nil })
    }

    @Test(arguments: [
        "/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/interrupts", "/sys/firmware", "/proc/acpi",
        "/proc/scsi", "/sys/devices/virtual/powercap",
    ])
    func hides(path: String) throws {
        let script = "if test -d \(path); then ls -A \(path); elif test -e \(path); then cat \(path); fi"
        #expect(try root.plan(script).output() == "")
    }

    @Test func hasTheUsualDevicesAndNoOthers() throws {
        let script = """
            for n in null zero full random urandom tty; do stat -c '%n %a %t:%T %u:%g' /dev/$n; done; ls /dev
            for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done
            echo gone > /dev/null; head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c
            echo x > /dev/full || echo full; stat -c %a /dev/shm /dev/pts
            """
        let expected = """
            /dev/null 666 1:3 0:0
            /dev/zero 666 1:5 0:0
            /dev/full 666 1:7 0:0
            /dev/random 666 1:8 0:0
            /dev/urandom 666 1:9 0:0
            /dev/tty 666 5:0 0:0
            fd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero
            /proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx
            3\n3\nfull\n1777\n755\n
            """
        #expect(try root.plan(script).run().output == expected)
    }

    @Test func makesDeviceNodesButOpensNone() throws {
        let mounts = [
            SandboxPlan.Mount(target: "/t", kind: .tmpfs(size: nil, mode: 0o755)),
            .init(
                target: "/h",
                kind: .bind(source: root.path("host"), relative: "", readOnly: false, recursive: true)
            ),
        ]
        let script = """
            for d in / /tmp /dev /dev/shm /t /h /dev/mqueue; do
                mknod $d/disk b 254 0 2>/dev/null && { cat $d/disk > /dev/null && echo $d opened; }
                mknod $d/memory c 1 3 2>/dev/null && { cat $d/memory && echo $d opened; }
            done; stat -c '%F %t:%T' /disk
            """
        #expect(try root.plan(script, mounts: mounts, stubs: ["t/", "h/"]).run().output == "block special file fe:0\n")
    }

    @Test func doesNotChangeTheHostsDevices() throws {
        #expect(try root.plan("chmod 667 /dev/full; stat -c %a /dev/full").output() == "667\n")
        var status = stat()
        #expect(stat("/dev/full", &status) == 0 && status.st_mode & 0o777 == 0o666)
    }

    @Test func hasNoDescriptorsOfTheCaller() throws {
        let leaked = open("/", O_RDONLY | O_DIRECTORY)
        defer { close(leaked) }
        #expect(try root.plan("ls /proc/self/fd").output() == "0\n1\n2\n3\n", "3 is the listing's own")
        let directory = try root.plan("true").with { $0.workingDirectory = "/proc/self/fd/\(leaked)" }
        #expect(failure(of: directory)?.stage == .workingDirectory)
        for path in ["/proc/self/cwd", "/proc/1/cwd", "/proc/self/root", "/proc/self/fd/3"] {
            let plan = try root.plan("true").with { $0.workingDirectory = path }
            #expect(failure(of: plan)?.stage == .workingDirectory, "\(path)")
        }
    }

    @Test func hasANetworkOfItsOwn() throws {
        let script =
            "cut -d : -f 1 < /proc/net/dev | tail -n +3 | tr -d ' '; ifconfig lo | grep -c 'UP LOOPBACK RUNNING'"
        for network in [SandboxPlan.Network.none, .joined(try NetworkNamespace())] {
            #expect(try root.plan(script).with { $0.network = network }.output() == "lo\n1\n")
        }
        let shared = try root.plan("readlink /proc/self/ns/net").with { $0.network = .host }
        var buffer = [CChar](repeating: 0, count: 64)
        let length = readlink("/proc/self/ns/net", &buffer, buffer.count)
        let own = String(decoding: buffer.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        #expect(try shared.output() == own + "\n")
    }

    @Test func seesOnlyItsOwnProcessesAndMounts() throws {
        let last = try root.plan("ls /proc | grep '^[0-9]' | sort -n | tail -n 1").output()
        #expect(try #require(Int(last.dropLast())) < 10, "numbers count from the sandbox's first process")
        let mounts = try root.plan("cut -d ' ' -f 5 /proc/self/mountinfo").output().split(separator: "\n")
        #expect(mounts.count { $0 == "/" } == 1)
        #expect(
            mounts.allSatisfy { $0 == "/" || $0.hasPrefix("/proc") || $0.hasPrefix("/sys") || $0.hasPrefix("/dev") }
        )
    }

    /// A plan in a user namespace whose ids are those outside.
    private func namespaced(_ script: String) throws -> SandboxPlan {
        let range = IDMaps.Range(inside: 0, outside: 0, count: 65536)
        return try root.plan(script).with {
            $0.idMaps = IDMaps(users: [range], groups: [range])
            $0.root.userXattr = true
        }
    }

    @Test func runsInAUserNamespace() throws {
        let script = "id -u; cat /proc/self/uid_map | tr -s ' '; echo x > /x; hostname; ls /dev; echo x > /dev/null"
        #expect(try namespaced(script).output().hasPrefix("0\n 0 0 65536\nsandbox\nfd\nfull\nmqueue\nnull\n"))
        let user = try namespaced("id -u; id -g; echo out > /dev/stdout").with { $0.credentials = Self.user }
        #expect(try user.output() == "1000\n1001\nout\n")
    }

    @Test func doesNotChangeTheHostsDevicesFromAUserNamespace() throws {
        func state() -> [UInt32] {
            var status = stat()
            return stat("/dev/full", &status) == 0 ? [status.st_mode, status.st_uid] : []
        }
        let before = state()
        #expect(try namespaced("chmod 667 /dev/full || echo refused").run().output == "refused\n")
        #expect(state() == before)
    }
}

extension String {
    /// A password file in which root needs no password.
    fileprivate func replacingRoot() -> String {
        split(separator: "\n").map { $0.hasPrefix("root:x:") ? "root::" + $0.dropFirst("root:x:".count) : String($0) }
            .joined(separator: "\n") + "\n"
    }
}
