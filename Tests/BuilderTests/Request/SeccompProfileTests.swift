import Exec
import Testing

@testable import Builder

/// System call profiles in Docker's format.
@Suite struct SeccompProfileTests {
    private func profile(_ text: String) throws -> SeccompProfileFile {
        try SeccompProfileFile(parsing: Array(text.utf8), name: "p.json")
    }

    private static let machine = SeccompProfileFile.Machine(
        architecture: "amd64",
        kernel: KernelVersion(release: "6.1.0-18-amd64")
    )

    @Test func readsWhatDockersProfilesSay() throws {
        let read = try profile(
            """
            {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
             "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
                         {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}],
             "syscalls": [
               {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW", "args": null, "comment": "", "includes": {},
                "excludes": {}},
               {"name": "personality", "action": "SCMP_ACT_ERRNO", "errnoRet": 22,
                "args": [{"index": 0, "value": 8, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"}]}]}
            """
        )
        let rules = read.rules(.docker, on: Self.machine)
        #expect(rules.defaultAction == .error(38))
        #expect(rules.rules.map(\.names) == [["read", "write"], ["personality"]])
        #expect(rules.rules.map(\.action) == [.allow, .error(22)])
        let comparison = SeccompRules.Comparison(argument: 0, comparison: .maskedEqual, value: 8, second: 1)
        #expect(rules.rules[1].comparisons == [comparison])
        #if arch(x86_64)
        #expect(rules.architectures == ["x86", "x32"])
        #endif
    }

    @Test(
        arguments: [
            (#""includes": {"caps": ["CAP_CHOWN"]}"#, true), (#""includes": {"caps": ["CAP_SYS_ADMIN"]}"#, false),
            (#""includes": {"caps": ["CAP_CHOWN", "CAP_SYS_ADMIN"]}"#, false),
            (#""includes": {"arches": ["amd64", "x32"]}"#, true), (#""includes": {"arches": ["s390x"]}"#, false),
            (#""includes": {"minKernel": "4.8"}"#, true), (#""includes": {"minKernel": "6.2"}"#, false),
            (#""excludes": {"caps": ["CAP_CHOWN"]}"#, false), (#""excludes": {"caps": ["CAP_SYS_ADMIN"]}"#, true),
            (#""excludes": {"arches": ["amd64"]}"#, false), (#""excludes": {"minKernel": "6.2"}"#, true),
        ] as [(String, Bool)]
    )
    func looksAtTheMachine(condition: String, holds: Bool) throws {
        let read = try profile(
            """
            {"defaultAction": "SCMP_ACT_ERRNO",
             "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", \(condition)}]}
            """
        )
        #expect(read.rules(.docker, on: Self.machine).rules.isEmpty != holds)
    }

    @Test(arguments: [
        ("[]", "the profile: must be an object"), ("{", "not valid JSON"), ("{}", "defaultAction: is missing"),
        (#"{"defaultAction": "SCMP_ACT_ALOW"}"#, "did you mean SCMP_ACT_ALLOW?"),
        (#"{"defaultAction": "SCMP_ACT_ALLOW", "syscall": []}"#, "did you mean syscalls?"),
        (#"{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x"}"#, "`listenerPath` is not supported"),
        (#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{}]}"#, "syscalls[0]: names no system call"),
        (#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"]}]}"#, "syscalls[0].action: is missing"),
        (
            #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"], "action": "SCMP_ACT_NOTIFY"}]}"#,
            "needs a listener"
        ),
        (
            #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [1], "action": "SCMP_ACT_KILL"}]}"#,
            "syscalls[0].names: must be a list of texts"
        ),
        (
            #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"], "action": "SCMP_ACT_KILL", "args": [{"index": 6, "op": "SCMP_CMP_EQ"}]}]}"#,
            "syscalls[0].args[0].index: must be a number from 0 to 5"
        ),
        (
            #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"], "action": "SCMP_ACT_KILL", "args": [{"index": 1, "op": "SCMP_CMP_EQUAL"}]}]}"#,
            "syscalls[0].args[0].op"
        ),
        (#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4096}"#, "defaultErrnoRet: must be"),
        (#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": [], "archMap": []}"#, "give one of them"),
        (
            #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"], "action": "SCMP_ACT_KILL", "includes": {"caps": ["CAP_CHWON"]}}]}"#,
            "syscalls[0].includes.caps: `CAP_CHWON` is none"
        ),
    ])
    func saysWhereAProfileIsWrong(text: String, expected: String) {
        let error = #expect(throws: SeccompProfileError.self) { try profile(text) }
        #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
    }

    @Test func boundsTheNumberOfRules() {
        let rule = #"{"names":["read"],"action":"SCMP_ACT_KILL"}"#
        let rules = Array(repeating: rule, count: 5000).joined(separator: ",")
        let error = #expect(throws: SeccompProfileError.self) {
            try profile(#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[\#(rules)]}"#)
        }
        #expect(error?.place == "syscalls")
    }

    @Test func compiles() throws {
        let read = try profile(
            """
            {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
              {"names": ["mkdir", "mkdirat", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
              {"names": ["write"], "action": "SCMP_ACT_ALLOW"},
              {"names": ["kill"], "action": "SCMP_ACT_KILL_PROCESS", "args": [
                {"index": 1, "value": 9, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 15, "op": "SCMP_CMP_EQ"}]}]}
            """
        )
        #expect(try !SeccompProgram.compiled(read.rules(.docker)).bytes.isEmpty)
    }
}
