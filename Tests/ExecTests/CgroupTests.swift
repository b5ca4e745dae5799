import SystemPackage
import Testing

@testable import Exec

@Suite struct CgroupHierarchyTests {
    private static let hybrid = """
        26 21 0:22 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
        27 26 0:23 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 cgroup2 rw,nsdelegate
        28 26 0:24 / /sys/fs/cgroup/systemd rw,nosuid shared:11 - cgroup cgroup rw,xattr,name=systemd
        31 26 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:15 - cgroup cgroup rw,cpu,cpuacct
        32 26 0:28 / /sys/fs/cgroup/my\\040memory rw,nosuid shared:16 - cgroup cgroup rw,memory
        33 26 0:29 / /sys/fs/cgroup/freezer rw,nosuid shared:17 - cgroup cgroup rw,freezer
        """

    @Test func hybridHierarchiesAreFoundWithTheOwnCgroups() {
        let membership =
            "4:memory:/a/b\n3:cpu,cpuacct:/\n2:freezer:/x\n1:name=systemd:/user.slice\n0::/user.slice/s:1\n"
        let found = CgroupHierarchy.all(mountInfo: Self.hybrid, membership: membership)
        #expect(
            found == [
                CgroupHierarchy(
                    legacyControllers: nil,
                    mount: "/sys/fs/cgroup/unified",
                    own: "/sys/fs/cgroup/unified/user.slice/s:1"
                ),
                CgroupHierarchy(
                    legacyControllers: [.cpu, .cpuacct],
                    mount: "/sys/fs/cgroup/cpu,cpuacct",
                    own: "/sys/fs/cgroup/cpu,cpuacct"
                ),
                CgroupHierarchy(
                    legacyControllers: [.memory],
                    mount: "/sys/fs/cgroup/my memory",
                    own: "/sys/fs/cgroup/my memory/a/b"
                ),
            ]
        )
    }

    @Test(
        arguments: [
            // A container that sees its own part of the tree alone.
            ("/docker/abc", "/docker/abc", "/cg"), ("/docker/abc", "/docker/abc/d", "/cg/d"),
            // A cgroup namespace, with a mount from inside and one from outside of it.
            ("/", "/", "/cg"), ("/../..", "/", "/cg"),
            // Names that begin alike are no parents.
            ("/docker/ab", "/docker/abc", nil), ("/docker", "/../x", nil),
            // Names are bytes: these are of several, and of two that are equal as text one is another's.
            ("/größe", "/größe/d", "/cg/d"), ("/e\u{301}", "/e\u{301}/d", "/cg/d"), ("/e\u{301}", "/\u{E9}/d", nil),
            ("/a", "/a/\u{301}", "/cg/\u{301}"),
        ] as [(String, String, String?)]
    )
    func theOwnCgroupIsRelativeToWhatIsMounted(_ root: String, _ path: String, _ own: String?) {
        let mountInfo = "27 26 0:23 \(root) /cg rw - cgroup2 cgroup2 rw\n"
        let found = CgroupHierarchy.all(mountInfo: mountInfo, membership: "0::\(path)\n")
        #expect(found.first?.own == own)
    }

    @Test(arguments: [
        ("/builds", true, "/builds"), ("builds/nightly", false, "builds/nightly"), ("/", true, "/"),
        ("a//b/", false, "a/b"),
    ])
    func parentsAreRead(_ text: String, _ isAbsolute: Bool, _ description: String) throws {
        let path = try #require(CgroupPath(parsing: text))
        #expect(path.isAbsolute == isAbsolute)
        #expect(path.description == description)
    }

    @Test(arguments: ["", "/a/../b", "..", "./a", "a\nb", "a\r\nb", "../\u{301}"])
    func parentsThatLeadElsewhereAreNone(_ text: String) { #expect(CgroupPath(parsing: text) == nil) }
}

@Suite struct CgroupLimitTests {
    @Test(arguments: [
        ("0-3,8", "0-3,8"), ("8,0-1,2-3", "0-3,8"), ("5", "5"), ("1,1", "1"), ("0-4,2-3", "0-4"),
    ])
    func listsAreRead(_ text: String, _ normal: String) {
        #expect(CgroupNumberList(parsing: text)?.description == normal)
    }

    @Test(arguments: ["", "a", "3-1", "1-", "-1", "1,,2", "1-2-3", "+1", "99999999999999999999", " 1"])
    func whatIsNoListIsRefused(_ text: String) { #expect(CgroupNumberList(parsing: text) == nil) }

    @Test(arguments: [("0-3", "1,3", true), ("0-3", "2-4", false), ("0,2", "0-2", false), ("", "0", false)])
    func listsContainOthers(_ outer: String, _ inner: String, _ isContained: Bool) throws {
        let outer = try #require(CgroupNumberList(kernel: outer + "\n"))
        #expect(outer.contains(try #require(CgroupNumberList(parsing: inner))) == isContained)
    }

    @Test(
        arguments: [(2, 1), (1024, 100), (262_144, 10_000), (512, 59), (1, 1), (1 << 30, 10_000)] as [(UInt64, UInt64)]
    )
    func sharesBecomeWeights(_ shares: UInt64, _ weight: UInt64) {
        #expect(CgroupLimits.weight(ofShares: shares) == weight)
    }

    private static func limits() -> CgroupLimits {
        var limits = CgroupLimits()
        limits.memory = 1 << 30
        limits.cpuQuota = 150_000
        limits.cpuPeriod = 100_000
        limits.cpuShares = 512
        limits.cpus = CgroupNumberList(parsing: "0-1")
        limits.memoryNodes = CgroupNumberList(parsing: "0")
        limits.processes = 20
        return limits
    }

    private static func text(_ settings: [CgroupSetting]) -> [String] { settings.map { "\($0.file)=\($0.value)" } }

    @Test func version2HasItsFiles() {
        let settings = CgroupController.allCases.flatMap { Self.limits().unifiedSettings(of: $0) }
        #expect(
            Self.text(settings) == [
                "cpu.max=150000 100000", "cpu.weight=59", "cpuset.mems=0", "cpuset.cpus=0-1", "memory.max=1073741824",
                "memory.swap.max=1073741824", "pids.max=21",
            ]
        )
    }

    @Test func version1HasItsFilesInAnOrderThatItTakes() {
        let settings = CgroupController.allCases.flatMap { Self.limits().legacySettings(of: $0) }
        #expect(
            Self.text(settings) == [
                "cpu.cfs_period_us=100000", "cpu.cfs_quota_us=150000", "cpu.shares=512", "cpuset.mems=0",
                "cpuset.cpus=0-1", "memory.limit_in_bytes=1073741824", "memory.memsw.limit_in_bytes=2147483648",
                "pids.max=21",
            ]
        )
    }

    @Test(
        arguments: [
            (CgroupLimits.MemoryAndSwap.unlimited, "max", "-1"), (.bytes(3 << 20), "1048576", "3145728"),
            (.bytes(2 << 20), "0", "2097152"),
        ] as [(CgroupLimits.MemoryAndSwap, String, String)]
    )
    func swapIsByItselfInVersion2AndPartOfASumInVersion1(
        _ swap: CgroupLimits.MemoryAndSwap,
        _ unified: String,
        _ legacy: String
    ) {
        var limits = CgroupLimits()
        limits.memory = 2 << 20
        limits.memoryAndSwap = swap
        #expect(limits.unifiedSettings(of: .memory).last?.value == unified)
        #expect(limits.legacySettings(of: .memory).last?.value == legacy)
        // It was asked for: a kernel without it must not pass it over.
        #expect(limits.unifiedSettings(of: .memory).last?.isOptional == false)
    }

    @Test func aPeriodAloneLeavesTheQuotaOpen() {
        var limits = CgroupLimits()
        limits.cpuPeriod = 50_000
        #expect(Self.text(limits.unifiedSettings(of: .cpu)) == ["cpu.max=max 50000"])
        #expect(Self.text(limits.legacySettings(of: .cpu)) == ["cpu.cfs_period_us=50000"])
    }
}

@Suite struct CgroupFigureTests {
    @Test func version2Tells() {
        let files = [
            "memory.peak": "4096\n", "memory.events": "low 0\nhigh 0\nmax 12\noom 1\noom_kill 2\noom_group_kill 0\n",
            "cpu.stat": "usage_usec 30\nuser_usec 10\nsystem_usec 20\nnr_periods 0\n", "pids.events": "max 3\n",
        ]
        var figures = CgroupFigures()
        figures.add(isUnified: true) { files[$0] }
        #expect([figures.peakMemory, figures.outOfMemoryKills, figures.memoryLimitHits] == [4096, 2, 12])
        #expect([figures.userTime, figures.systemTime, figures.refusedProcesses] == [10, 20, 3])
    }

    @Test func version1Tells() {
        let files = [
            "memory.max_usage_in_bytes": "8192\n",
            "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
            "memory.failcnt": "5\n", "memory.memsw.failcnt": "2\n", "cpuacct.usage_user": "3000000\n",
            "cpuacct.usage_sys": "1000999\n",
        ]
        var figures = CgroupFigures()
        figures.add(isUnified: false) { files[$0] }
        #expect([figures.peakMemory, figures.outOfMemoryKills, figures.memoryLimitHits] == [8192, 1, 7])
        #expect([figures.userTime, figures.systemTime, figures.refusedProcesses] == [3000, 1000, nil])
    }

    @Test func aHierarchyWithoutControllersDoesNotHideWhatAnotherTells() {
        var figures = CgroupFigures()
        figures.add(isUnified: false) { $0 == "memory.max_usage_in_bytes" ? "1\n" : nil }
        figures.add(isUnified: true) { $0 == "cpu.stat" ? "user_usec 7\nsystem_usec 8\n" : nil }
        #expect([figures.peakMemory, figures.userTime, figures.systemTime] == [1, 7, 8])
    }
}
