import Exec
import Glibc
import OCI
import Testing

@testable import Builder

/// The `config.json` of bundles: a function of an image's configuration and its users.
@Suite struct RuntimeSpecTests {
    private let users = UserDatabase(
        passwd: Array("root:x:0:0:root:/root:/bin/sh\nbuild:x:1000:1001:build:/home/build:/bin/sh\n".utf8),
        group: Array("staff:x:50:build\nbuild:x:1001:\n".utf8)
    )

    private func config(_ text: String) throws -> ImageConfig {
        try ImageConfig(
            parsing: Array(#"{"architecture":"amd64","os":"linux","config":\#(text)}"#.utf8),
            as: "test"
        )
    }

    private func document(_ text: String, _ options: ContainerOptions = ContainerOptions()) throws -> JSONValue {
        try BundleWriter.document(config(text), users: users, options: options, hasTerminal: false)
    }

    private static let rich = """
        {"User":"build","Env":["PATH=/bin","A=1"],"Entrypoint":["/bin/entry"],"Cmd":["serve"],"WorkingDir":"/srv",
        "Labels":{"keep":"me"},"StopSignal":"SIGUSR1","ExposedPorts":{"80/tcp":{},"53/udp":{}}}
        """

    @Test func documentsAreTheGoldenOne() throws {
        // The filter's names depend on the library that knows them.
        var members = try #require(try document(Self.rich).object)
        var linux = try #require(members["linux"]?.object)
        linux["seccomp"] = nil
        // Each machine has as many of these as it has processors, or none.
        let hidden = linux["maskedPaths"]?.strings ?? []
        linux["maskedPaths"] = .strings(hidden.filter { !$0.hasSuffix("/thermal_throttle") })
        members["linux"] = .object(linux)
        let text = try JSONValue.object(members).prettyPrinted() + "\n"
        let path = "\(#filePath.dropLast("Bundle/RuntimeSpecTests.swift".count))Fixtures/bundle.json"
        if getenv("SWBUILD_WRITE_GOLDEN") != nil { try HostFile.write(Array(text.utf8), to: path) }
        #expect(text == String(decoding: try HostFile.read(path, limit: 1 << 20), as: UTF8.self))
    }

    @Test(
        arguments: [
            (nil, [], ["/bin/entry", "serve"]), (nil, ["other", "x"], ["/bin/entry", "other", "x"]),
            ("/bin/sh", [], ["/bin/sh"]), ("/bin/sh", ["-c", "id"], ["/bin/sh", "-c", "id"]), ("", ["id"], ["id"]),
        ] as [(String?, [String], [String])]
    )
    func commandsReplaceWhatTheImageSays(entrypoint: String?, command: [String], expected: [String]) throws {
        var options = ContainerOptions()
        options.entrypoint = entrypoint
        options.command = command
        #expect(try document(Self.rich, options)["process"]?["args"]?.strings == expected)
    }

    @Test func imagesWithoutACommandNeedOne() {
        #expect(throws: NoCommand.self) { try document("{}") }
    }

    @Test func variablesAndDirectoriesCanBeChanged() throws {
        var options = ContainerOptions()
        options.environment = [("A", "2"), ("B", "")]
        options.workingDirectory = "tmp"
        options.user = "0"
        let process = try #require(try document(Self.rich, options)["process"])
        #expect(process["env"]?.strings == ["PATH=/bin", "A=2", "B=", "HOME=/root"])
        #expect(process["cwd"]?.string == "/tmp")
        #expect(process["user"]?["uid"]?.integer == 0)
        #expect(process["capabilities"]?["effective"]?.strings?.count == 14)
    }

    @Test func imagesThatSayLittleGetDefaults() throws {
        let process = try #require(try document(#"{"Cmd":["/init"]}"#)["process"])
        #expect(process["cwd"]?.string == "/")
        #expect(process["env"]?.strings?.last == "HOME=/root")
        #expect(process["env"]?.strings?.first?.hasPrefix("PATH=/usr/local/sbin:") == true)
    }

    // MARK: The filter

    private func rules(_ rules: SeccompRules) throws -> [JSONValue] {
        try SeccompDocument(rules: rules).json()["syscalls"]?.array ?? []
    }

    private func actions(of name: String, _ all: [JSONValue]) -> [String] {
        all.filter { $0["names"]?.strings?.contains(name) == true }.compactMap { $0["action"]?.string }
    }

    @Test func theFilterIsDockersProfile() throws {
        let rules = SeccompRules.docker(.docker)
        let document = try SeccompDocument(rules: rules).json()
        #expect(document["defaultAction"]?.string == "SCMP_ACT_ERRNO")
        #expect(document["defaultErrnoRet"]?.integer == 38)
        let all = document["syscalls"]?.array ?? []
        #expect(actions(of: "openat", all) == ["SCMP_ACT_ALLOW"])
        #expect(actions(of: "mount", all) == ["SCMP_ACT_ERRNO"])
        #expect(actions(of: "keyctl", all) == ["SCMP_ACT_ERRNO"])
        // Which answers ENOSYS, so that the C library takes clone.
        #expect(actions(of: "clone3", all).isEmpty)
        #expect(actions(of: "clone", all).first == "SCMP_ACT_ALLOW")
        #expect(actions(of: "clone", all).count == 8)
    }

    @Test func capabilitiesOpenCallsInTheFilter() throws {
        let all = try rules(.docker([.docker, .sysAdmin]))
        #expect(actions(of: "mount", all) == ["SCMP_ACT_ALLOW"])
    }

    @Test func aConditionIsSaidByItsMask() throws {
        let clone = try #require(try rules(.docker(.docker)).first { $0["names"]?.strings == ["clone"] })
        let argument = try #require(clone["args"]?.array?.first)
        #expect(argument["op"]?.string == "SCMP_CMP_MASKED_EQ")
        #expect(argument["value"]?.integer == 0x7e02_0000)
        #expect(argument["valueTwo"]?.integer == 0)
    }

    @Test func numbersThatNoDocumentHoldsAreRefused() {
        let comparison = SeccompRules.Comparison(argument: 0, comparison: .equal, value: .max, second: 0)
        let rule = SeccompRules.Rule(names: ["read"], action: .log, comparisons: [comparison], place: "here")
        let rules = SeccompRules(defaultAction: .allow, architectures: [], rules: [rule])
        #expect(throws: RuntimeLimit.self) { try SeccompDocument(rules: rules).json() }
    }

    // MARK: Plans

    private func plan() -> SandboxPlan {
        SandboxPlan(
            root: SandboxPlan.Overlay(lowerDirectories: [], upperDirectory: "/u", workDirectory: "/w"),
            arguments: ["/bin/true"]
        )
    }

    @Test func limitsAreNamedAsTheKernelNamesThem() throws {
        var plan = plan()
        plan.resourceLimits = [ResourceLimit(.nofile, soft: 10, hard: ResourceLimit.unlimited)]
        let limits = try RuntimeSpec(plan: plan, rootPath: "/").json()["process"]?["rlimits"]?.array
        #expect(limits?.first?["type"]?.string == "RLIMIT_NOFILE")
        #expect(limits?.first?["soft"]?.integer == 10)
        #expect(limits?.first?["hard"]?.integer == .max)
    }

    @Test func privilegedPlansHideNothing() throws {
        var plan = plan()
        plan.isPrivileged = true
        let linux = try #require(try RuntimeSpec(plan: plan, rootPath: "/").json()["linux"])
        #expect(linux["maskedPaths"]?.strings == [])
        #expect(linux["devices"]?.array?.contains { $0["path"]?.string == "/dev/fuse" } == true)
        #expect(linux["resources"]?["devices"]?.array?.first?["allow"] == .bool(true))
    }

    @Test func theNetworkOfTheRuntimeCanStay() throws {
        let spec = RuntimeSpec(plan: plan(), rootPath: "/", makesNetwork: false)
        let types = try spec.json()["linux"]?["namespaces"]?.array?.compactMap { $0["type"]?.string }
        #expect(types == ["pid", "ipc", "uts", "mount", "cgroup"])
    }
}
