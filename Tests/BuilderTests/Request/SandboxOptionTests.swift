import Exec
import Testing

@testable import Builder

/// The options of a build that say what its steps are given.
@Suite struct SandboxOptionTests {
    @Test(
        arguments: [
            ("a:10.0.0.1", "10.0.0.1\ta\n"), ("a=10.0.0.1", "10.0.0.1\ta\n"), ("db.local:::1", "::1\tdb.local\n"),
            ("a=::1", "::1\ta\n"), ("a:[fe80::1]", "fe80::1\ta\n"), ("a=[::1]", "::1\ta\n"),
            ("my_host-1:127.0.0.1", "127.0.0.1\tmy_host-1\n"),
        ]
    )
    func hosts(text: String, line: String) throws {
        #expect(try HostEntry(parsing: text).line == line)
    }

    @Test(arguments: [
        ("a", "NAME:ADDRESS"), (":10.0.0.1", "a name"), ("a b:10.0.0.1", "a name"), ("a\n1.1.1.1 b:10.0.0.1", "a name"),
        ("a:10.0.0", "address"), ("a:", "address"), ("a=b", "address"), ("a:host-gateway", "--network=host"),
        ("a=10.0.0.1\n6.6.6.6 b", "address"), ("", "NAME:ADDRESS"),
    ])
    func malformedHosts(text: String, expected: String) {
        let error = #expect(throws: MalformedOption.self) { try HostEntry(parsing: text) }
        #expect(error?.description.contains(expected) == true)
    }

    @Test(
        arguments: [
            ("nofile=1024", [ResourceLimit(.nofile, soft: 1024, hard: 1024)]),
            ("nofile=1024:2048", [ResourceLimit(.nofile, soft: 1024, hard: 2048)]),
            ("core=0:-1", [ResourceLimit(.core, soft: 0, hard: ResourceLimit.unlimited)]),
            ("core=unlimited", [ResourceLimit(.core, soft: .max, hard: .max)]),
        ] as [(String, [ResourceLimit])]
    )
    func limits(text: String, expected: [ResourceLimit]) throws {
        var options = SandboxOptions()
        try options.addLimit(text)
        #expect(options.resourceLimits == expected)
    }

    @Test func theLastLimitOfAResourceHoldsAndTheirOrderDoesNotMatter() throws {
        var options = SandboxOptions()
        for text in ["nofile=1", "core=0", "nofile=2"] { try options.addLimit(text) }
        var others = SandboxOptions()
        for text in ["nofile=2", "core=0"] { try others.addLimit(text) }
        #expect(options == others)
    }

    @Test(arguments: [
        ("nofile", "NAME=SOFT"), ("nofle=1", "did you mean nofile?"), ("nofile=", "numbers"), ("nofile=a", "numbers"),
        ("nofile=1:2:3", "numbers"), ("nofile=2:1", "not above"), ("nofile=-1:1", "not above"),
        ("nofile=+1", "numbers"),
        ("as=1", "limit"), ("nofile=99999999999999999999", "numbers"),
    ])
    func malformedLimits(text: String, expected: String) {
        var options = SandboxOptions()
        let error = #expect(throws: MalformedOption.self) { try options.addLimit(text) }
        #expect(error?.description.contains(expected) == true)
    }

    @Test(arguments: ["0", "", "x", "-1", "9223372036854775808"])
    func malformedSharedMemory(text: String) {
        var options = SandboxOptions()
        #expect(throws: MalformedOption.self) { try options.setSharedMemorySize(text) }
    }

    @Test(
        arguments: [
            ([], [], .docker), (["SYS_PTRACE"], [], CapabilitySet.docker.union(.sysPtrace)),
            (["cap_sys_ptrace"], [], CapabilitySet.docker.union(.sysPtrace)),
            (["CAP_SYS_PTRACE,NET_ADMIN"], [], CapabilitySet.docker.union([.sysPtrace, .netAdmin])),
            ([], ["MKNOD"], CapabilitySet.docker.subtracting(.mknod)), ([], ["all"], []),
            (["CHOWN"], ["ALL"], .chown), (["ALL"], ["SYS_ADMIN"], CapabilitySet.all.subtracting(.sysAdmin)),
            (["MKNOD"], ["MKNOD"], .docker),
        ] as [([String], [String], CapabilitySet)]
    )
    func capabilities(add: [String], drop: [String], expected: CapabilitySet) throws {
        var options = SandboxOptions()
        try options.setCapabilities(add: add, drop: drop)
        #expect(options.capabilities == expected)
    }

    @Test func everyCapabilityGoesByItsName() {
        #expect(CapabilitySet.all.names == CapabilitySet.names)
        #expect(CapabilitySet.all.rawValue == 0x1ff_ffff_ffff)
        #expect(CapabilitySet(name: "SYSLOG") == .syslog)
        #expect(CapabilitySet(name: "CAP_SETFCAP") == .setfcap)
        #expect(CapabilitySet.docker.names.count == 14)
    }

    @Test(arguments: [("SYS_PTRAC", "SYS_PTRACE"), ("CAP_SYSADMIN", "SYS_ADMIN"), ("", "known capability")])
    func unknownCapabilities(name: String, expected: String) {
        var options = SandboxOptions()
        let error = #expect(throws: MalformedOption.self) { try options.setCapabilities(add: [], drop: [name]) }
        #expect(error?.description.hasPrefix("--cap-drop") == true)
        #expect(error?.description.contains(expected) == true)
    }

    @Test func entitlementsMayBeLists() throws {
        var options = SandboxOptions()
        for text in ["network.host,security.insecure", "network.host"] { try options.allow(text) }
        #expect(options.entitlements == [.networkHost, .securityInsecure])
        let error = #expect(throws: MalformedOption.self) { try options.allow("security.insecur") }
        #expect(error?.description.contains("did you mean security.insecure?") == true)
    }

    @Test(arguments: ["no-new-privileges", "no-new-privileges=true", "no-new-privileges:true"])
    func withoutNewPrivileges(text: String) throws {
        var options = SandboxOptions()
        try options.addSecurityOption(text, in: "/")
        #expect(options.noNewPrivileges)
    }

    @Test(arguments: ["label=disable", "label:disable", "seccomp=builtin"])
    func whatHoldsAnyhow(text: String) throws {
        var options = SandboxOptions()
        try options.addSecurityOption(text, in: "/", on: SecurityModules(profiles: nil, hasSELinux: false))
        #expect(options == SandboxOptions())
    }

    @Test(arguments: [
        ("secomp=unconfined", "did you mean seccomp?"), ("seccomp", "seccomp=FILE"), ("seccomp=", "seccomp=FILE"),
        ("apparmor=mine", "AppArmor"), ("label=type:mine_t", "SELinux"), ("", "seccomp=FILE"),
        ("no-new-privileges=maybe", "no-new-privileges"),
    ])
    func malformedSecurityOptions(text: String, expected: String) {
        var options = SandboxOptions()
        let machine = SecurityModules(profiles: nil, hasSELinux: false)
        let error = #expect(throws: MalformedOption.self) { try options.addSecurityOption(text, in: "/", on: machine) }
        #expect(error?.description.contains(expected) == true)
    }

    @Test func theDefaultsAreInNoKey() throws {
        #expect(SandboxOptions().keyFields(isInsecure: false).isEmpty)
        var allowed = SandboxOptions()
        allowed.entitlements = [.networkHost, .securityInsecure]
        #expect(allowed.keyFields(isInsecure: false).isEmpty)
        #expect(allowed.keyFields(isInsecure: true).map(\.name) == ["security"])
    }
}
