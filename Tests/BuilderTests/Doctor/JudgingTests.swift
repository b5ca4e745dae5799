import Glibc
import Testing

@testable import Builder

/// What facts of a machine mean: no machine is asked here.
@Suite struct JudgingTests {
    /// A machine on which everything works.
    private static func good(uid: UInt32 = 1000) -> MachineFacts {
        var facts = MachineFacts(uid: uid)
        facts.userName = uid == 0 ? "root" : "ann"
        facts.namespaces.user = .worked
        facts.namespaces.idMap = .worked
        facts.namespaces.others = .worked
        facts.namespaces.overlay = uid == 0 ? .worked : .notTried
        facts.namespaces.userOverlay = .worked
        facts.namespaces.imageOverlay = uid == 0 ? .worked : .notTried
        facts.ids = MachineFacts.SubordinateIDs(
            users: 65536,
            groups: 65536,
            userTool: .usable(path: "/usr/bin/newuidmap"),
            groupTool: .usable(path: "/usr/bin/newgidmap")
        )
        let controllers = ["cpu", "memory", "pids"]
        facts.cgroups = MachineFacts.Cgroups(version: 2, controllers: controllers, delegated: controllers)
        facts.network = MachineFacts.NetworkHelpers(pasta: "/usr/bin/pasta", slirp: nil, hasTunnelDevice: true)
        facts.confinement.hasSeccomp = true
        facts.confinement.landlock = 4
        facts.programs = MachineFacts.Programs(hasCurl: true, git: "/usr/bin/git")
        facts.disk = MachineFacts.Disk(
            path: "/s",
            type: "ext4",
            freeBytes: 100 << 30,
            freeInodes: 1 << 20,
            writing: .worked,
            hasTypes: true,
            userAttributes: .worked,
            trustedAttributes: uid == 0 ? .worked : .notTried,
            whiteouts: .worked
        )
        return facts
    }

    /// A change of the good machine, and what is then found.
    struct Example: Sendable, CustomTestStringConvertible {
        var uid: UInt32 = 1000
        var change: @Sendable (inout MachineFacts) -> Void
        var subject: String
        var state: MachineFinding.State
        var remedy: String?
        var builds: Bool

        var testDescription: String { "\(subject) \(state) for \(uid)" }
    }

    @Test(arguments: [0, 1000] as [UInt32])
    func nothingIsWrongWithAGoodMachine(uid: UInt32) {
        let findings = Self.good(uid: uid).findings
        #expect(findings.filter { $0.state != .ok } == [])
        #expect(findings.allSatisfy { $0.remedy == nil })
        #expect(findings.allowBuilds)
    }

    @Test(arguments: namespaceExamples + otherExamples)
    func whatIsWrongIsNamedAndMended(example: Example) throws {
        var facts = Self.good(uid: example.uid)
        example.change(&facts)
        let findings = facts.findings
        let finding = try #require(findings.first { $0.subject == example.subject })
        #expect(finding.state == example.state)
        if let remedy = example.remedy {
            #expect(finding.remedy?.contains(remedy) == true, "\(finding.remedy ?? "no remedy")")
        }
        #expect(findings.allowBuilds == example.builds)
    }

    private static func forbidden(_ facts: inout MachineFacts, _ code: Int32) {
        facts.namespaces.user = .failed(code)
        facts.namespaces.idMap = .notTried
        facts.namespaces.userOverlay = .notTried
        if !facts.isRoot { facts.namespaces.others = .notTried }
    }

    private static let namespaceExamples = [
        Example(
            uid: 0,
            change: { $0.namespaces.imageOverlay = .failed(EINVAL) },
            subject: "layers as images",
            state: .limited,
            builds: true
        ),
        Example(
            change: {
                forbidden(&$0, ENOSPC)
                $0.namespaces.limit = 0
            },
            subject: "user namespaces",
            state: .missing,
            remedy: "sysctl -w user.max_user_namespaces=",
            builds: false
        ),
        Example(
            change: {
                forbidden(&$0, EPERM)
                $0.namespaces.unprivilegedClone = 0
            },
            subject: "user namespaces",
            state: .missing,
            remedy: "sysctl -w kernel.unprivileged_userns_clone=1",
            builds: false
        ),
        Example(
            change: {
                // With AppArmor, the namespace can be made, and is good for nothing.
                $0.namespaces.idMap = .failed(EPERM)
                $0.namespaces.others = .notTried
                $0.namespaces.userOverlay = .notTried
                $0.namespaces.appArmorRestricts = 1
            },
            subject: "user namespaces",
            state: .missing,
            remedy: "kernel.apparmor_restrict_unprivileged_userns=0",
            builds: false
        ),
        Example(
            change: {
                forbidden(&$0, EPERM)
                $0.namespaces.isFiltered = true
            },
            subject: "user namespaces",
            state: .missing,
            remedy: "seccomp=unconfined",
            builds: false
        ),
        Example(
            uid: 0,
            change: { forbidden(&$0, EPERM) },
            subject: "user namespaces",
            state: .limited,
            builds: true
        ),
        Example(
            uid: 0,
            change: {
                $0.namespaces.others = .failed(EPERM)
                $0.namespaces.overlay = .notTried
            },
            subject: "namespaces",
            state: .missing,
            remedy: "run as root",
            builds: false
        ),
        Example(
            uid: 0,
            change: { $0.namespaces.overlay = .failed(ENODEV) },
            subject: "overlay",
            state: .missing,
            remedy: "modprobe overlay",
            builds: false
        ),
        Example(
            change: { $0.namespaces.userOverlay = .failed(EINVAL) },
            subject: "overlay, rootless",
            state: .missing,
            remedy: "--root",
            builds: false
        ),
    ]

    private static let otherExamples = [
        Example(
            change: { $0.ids.users = 0 },
            subject: "subordinate ids",
            state: .limited,
            remedy: "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ann",
            builds: true
        ),
        Example(
            change: { $0.ids.groupTool = .missing },
            subject: "subordinate ids",
            state: .limited,
            remedy: "apt-get install uidmap",
            builds: true
        ),
        Example(
            change: { $0.ids.userTool = .powerless(path: "/x/newuidmap") },
            subject: "subordinate ids",
            state: .limited,
            remedy: "chmod u+s /x/newuidmap",
            builds: true
        ),
        Example(
            change: { $0.cgroups.delegated = ["memory", "pids"] },
            subject: "cgroups",
            state: .limited,
            remedy: "Delegate=",
            builds: true
        ),
        Example(
            change: { $0.cgroups = MachineFacts.Cgroups() },
            subject: "cgroups",
            state: .limited,
            remedy: "mount -t cgroup2",
            builds: true
        ),
        Example(
            change: { $0.network.pasta = nil },
            subject: "network",
            state: .limited,
            remedy: "apt-get install slirp4netns",
            builds: true
        ),
        Example(
            change: { $0.network.hasTunnelDevice = false },
            subject: "network",
            state: .limited,
            remedy: "modprobe tun",
            builds: true
        ),
        Example(
            change: { $0.confinement.hasSeccomp = false },
            subject: "seccomp",
            state: .missing,
            builds: false
        ),
        Example(
            change: { $0.disk.hasTypes = false },
            subject: "state directory",
            state: .missing,
            remedy: "--root",
            builds: false
        ),
        Example(
            uid: 0,
            change: { $0.disk.trustedAttributes = .failed(EOPNOTSUPP) },
            subject: "state directory",
            state: .missing,
            remedy: "SWBUILD_ROOT",
            builds: false
        ),
        Example(
            change: { $0.disk.freeBytes = 1 << 20 },
            subject: "disk space",
            state: .limited,
            remedy: "prune",
            builds: true
        ),
        Example(
            change: { $0.programs.git = nil },
            subject: "git",
            state: .limited,
            remedy: "apt-get install git",
            builds: true
        ),
    ]
}
