import Exec
import Glibc
import Testing

@testable import Builder

/// What the kernel's security modules put on steps, decided from what a sysfs says.
@Suite struct SecurityModuleTests {
    private static let profiles = """
        /usr/bin/man (enforce)
        docker-default (enforce)
        containers-default-0.50.1 (enforce)
        containers-default-0.57.4 (enforce)
        half (complain)
        free (unconfined)
        """

    /// Reads a sysfs made of these files.
    private func machine(_ files: [(path: String, text: String)]) throws -> SecurityModules {
        let scratch = try Scratch()
        for file in files { try scratch.write(file.text, to: file.path) }
        return SecurityModules(sysfs: scratch.path)
    }

    @Test func readsWhatTheKernelSays() throws {
        #expect(try machine([]) == SecurityModules(profiles: nil, hasSELinux: false))
        let off = [("module/apparmor/parameters/enabled", "N\n")]
        #expect(try machine(off) == SecurityModules(profiles: nil, hasSELinux: false))
        let both = [
            ("module/apparmor/parameters/enabled", "Y\n"), ("kernel/security/apparmor/profiles", Self.profiles),
            ("fs/selinux/enforce", "1"),
        ]
        let names = ["/usr/bin/man", "docker-default", "containers-default-0.50.1", "containers-default-0.57.4"]
        #expect(try machine(both) == SecurityModules(profiles: names, hasSELinux: true))
    }

    @Test(
        arguments: [
            ([], nil), (["man"], nil), (["docker-default"], "docker-default"),
            (["containers-default-0.50.1", "containers-default-0.57.4"], "containers-default-0.57.4"),
            (["containers-default-0.57.4", "docker-default", "swbuild-default"], "swbuild-default"),
        ] as [([String], String?)]
    )
    func choosesADefault(loaded: [String], chosen: String?) {
        let machine = SecurityModules(profiles: loaded, hasSELinux: false)
        #expect(machine.defaultProfile == chosen)
        let expected = chosen.map { [ExecLabel.appArmor(profile: $0)] } ?? []
        #expect(SandboxOptions().labels(isInsecure: false, on: machine) == expected)
        #expect(SandboxOptions().labels(isInsecure: true, on: machine).isEmpty)
    }

    @Test func takesWhatIsAskedFor() throws {
        let machine = SecurityModules(profiles: ["docker-default", "mine"], hasSELinux: true)
        var options = SandboxOptions()
        for text in ["apparmor=mine", "label=type:build_t", "label=level:s0:c1,c2"] {
            try options.addSecurityOption(text, in: "/", on: machine)
        }
        let labels: [ExecLabel] = [
            .appArmor(profile: "mine"), .seLinux(context: "system_u:system_r:build_t:s0:c1,c2"),
        ]
        #expect(options.labels(isInsecure: false, on: machine) == labels)
        #expect(options.keyFields(isInsecure: false).map(\.name) == ["AppArmor profile", "SELinux label"])
        for text in ["apparmor=unconfined", "label=disable"] {
            try options.addSecurityOption(text, in: "/", on: machine)
        }
        #expect(options.labels(isInsecure: false, on: machine).isEmpty)
    }

    @Test(arguments: [
        ("apparmor=other", "no profile other is loaded"), ("label=kind:x", "label=type:NAME"),
        ("label=type:", "label=type:NAME"),
    ])
    func refusesWhatIsNotThere(text: String, expected: String) {
        var options = SandboxOptions()
        let machine = SecurityModules(profiles: ["mine"], hasSELinux: true)
        let error = #expect(throws: MalformedOption.self) { try options.addSecurityOption(text, in: "/", on: machine) }
        #expect(error?.description.contains(expected) == true)
    }
}
