import Testing

@testable import Exec

/// The system call filter that libseccomp made, run instruction by instruction against the tables it was made of.
@Suite struct SeccompTests {
    private static let numbers = Array(UInt32(0)...700) + [0xf0001, 0xf0002, 0xf0005, 0x4000_0001, .max]

    /// Values to look at, and all that differ from one of them by a bit.
    private static let arguments: [UInt32] = {
        let values: [UInt32] = [
            0, 8, 40, 0x20000, 0x20008, 0x0120_0011, 0x7e02_0000, 0x7fff_ffff, 0xfffd_fff7, 0xfffd_ffff, 0xffff_fff7,
            .max,
        ]
        return values + (0..<64) + values.flatMap { value in (UInt32(0)..<32).map { value ^ 1 << $0 } }
    }()

    @Test(arguments: [CapabilitySet.docker, [], [.sysAdmin, .sysPtrace], CapabilitySet(rawValue: .max)])
    func saysWhatTheTablesSay(capabilities: CapabilitySet) throws {
        try expectTables(FilterArchitecture.all, capabilities)
    }

    @Test func saysWhatTheTablesSayOnOtherMachines() throws {
        try expectTables([.x86_64, .i386], .docker)
        try expectTables([.aarch64, .arm], .docker)
    }

    private func expectTables(_ architectures: [FilterArchitecture], _ capabilities: CapabilitySet) throws {
        let definition = FilterDefinition(.docker, capabilities: capabilities, architectures: architectures)
        let program = try definition.compiled().instructions
        for architecture in architectures {
            let table = SystemCallTable(.docker, architecture: architecture, capabilities: capabilities)
            var verdicts: [UInt32: SeccompProfile.Verdict] = [:]
            for entry in table.entries { verdicts[entry.number] = entry.verdict }
            for number in Self.numbers {
                let verdict = verdicts[number] ?? .refuse(.notImplemented)
                for argument in Self.arguments {
                    let answer = try program.answer(architecture.rawValue, number, argument)
                    try #require(answer == verdict.answer(argument), "\(architecture) \(number) \(argument)")
                }
            }
        }
    }

    @Test func answersENOSYSToForeignInterfaces() throws {
        let program = try SeccompProgram.compiled(policy: .docker, capabilities: .docker).instructions
        #expect(try program.answer(0x8000_0016, 1, 0) == .refuse(38))
    }

    @Test(arguments: [
        ("read", Answer.allow), ("openat2", .allow), ("fchmodat2", .allow), ("chroot", .allow), ("ptrace", .allow),
        ("socket", .allow), ("connect", .allow), ("shmget", .allow), ("mount", .refuse(1)), ("unshare", .refuse(1)),
        ("setns", .refuse(1)), ("bpf", .refuse(1)), ("open_tree_attr", .refuse(1)), ("keyctl", .refuse(1)),
        ("io_uring_setup", .refuse(1)), ("reboot", .refuse(1)), ("init_module", .refuse(1)),
        ("perf_event_open", .refuse(1)), ("userfaultfd", .refuse(1)), ("open_by_handle_at", .refuse(1)),
        ("pivot_root", .refuse(1)), ("uselib", .refuse(1)), ("clone3", .refuse(38)),
    ])
    func knowsThatCall(name: String, expected: Answer) throws {
        let program = try SeccompProgram.compiled(policy: .docker, capabilities: .docker).instructions
        let native = try #require(FilterArchitecture.all.first)
        #expect(name == "uselib" || SystemCallTable.number(of: name, native) != nil)
        for architecture in FilterArchitecture.all {
            guard let number = SystemCallTable.number(of: name, architecture) else { continue }
            #expect(try program.answer(architecture.rawValue, number, 0) == expected)
        }
    }

    @Test func looksAtArguments() throws {
        let program = try SeccompProgram.compiled(policy: .docker, capabilities: .docker).instructions
        for architecture in FilterArchitecture.all {
            func answer(_ name: String, _ argument: UInt32) throws -> Answer {
                let number = try #require(SystemCallTable.number(of: name, architecture))
                return try program.answer(architecture.rawValue, number, argument)
            }
            #expect(try answer("clone", 0x0120_0011) == .allow, "a fork")
            for bit in [17, 25, 26, 27, 28, 29, 30] {
                #expect(try answer("clone", 1 << bit | 17) == .refuse(1), "a namespace")
            }
            #expect(try answer("socket", 2) == .allow)
            for family: UInt32 in [38, 40] { #expect(try answer("socket", family) == .refuse(1)) }
            for family: UInt32 in [37, 39, 41, 45] { #expect(try answer("socket", family) == .allow) }
            #expect(try answer("personality", 0) == .allow)
            for value: UInt32 in [8, 0x20000, 0x20008, .max] { #expect(try answer("personality", value) == .allow) }
            for value: UInt32 in [1, 9, 0x40000, 0x40_0000, 0xfffd_fff7, .max - 8, .max - 1, .max >> 1] {
                #expect(try answer("personality", value) == .refuse(1))
            }
        }
    }

    @Test func opensAdministrationWithItsCapability() throws {
        let capabilities = CapabilitySet.docker.union(.sysAdmin)
        let program = try SeccompProgram.compiled(policy: .docker, capabilities: capabilities).instructions
        let native = try #require(FilterArchitecture.all.first)
        for name in ["mount", "unshare", "clone3", "clone", "setns"] {
            let number = try #require(SystemCallTable.number(of: name, native))
            #expect(try program.answer(native.rawValue, number, 0x1000_0000) == .allow)
        }
    }

    @Test func hasNoFilterWhenUnconfined() throws {
        #expect(try SeccompProgram.compiled(policy: .unconfined, capabilities: .docker).bytes.isEmpty)
        #expect(try SeccompProgram.cached(in: "/", policy: .unconfined, capabilities: .docker).bytes.isEmpty)
    }

    @Test func namesOnlyCallsThatExist() {
        let known = [FilterArchitecture.x86_64, .i386, .aarch64, .arm].flatMap { architecture in
            SystemCallTable.calls(of: architecture).map(\.name)
        }
        for rule in SeccompProfile.docker.rules {
            for name in rule.names where !Self.unknownHere.contains(name) {
                #expect(known.contains(name), "\(name)")
            }
        }
    }

    /// Calls of other machines, or newer than the oldest libseccomp this is built with.
    private static let unknownHere = ["fstatat64", "getsid", "fadvise64_64", "sync_file_range2", "uretprobe"]
}

extension SystemCallTable {
    static func number(of name: String, _ architecture: FilterArchitecture) -> UInt32? {
        calls(of: architecture).first { $0.name == name }?.number
    }
}

/// What a filter returns, as far as it is used here.
enum Answer: Sendable, Hashable {
    case allow
    case refuse(UInt32)
}

extension SeccompProfile.Verdict {
    /// The answer to a call whose looked-at argument has this lower half.
    fileprivate func answer(_ argument: UInt32) -> Answer {
        switch self {
        case .allow: .allow
        case .refuse(let errno): .refuse(errno.rawValue)
        case .allowWithoutBits(_, let bits): argument & bits == 0 ? .allow : .refuse(1)
        case .allowWithoutBitsOrWithAll(_, let bits): argument & bits == 0 || argument == .max ? .allow : .refuse(1)
        case .allowExcept(_, let values, _) where values.contains(argument): .refuse(1)
        case .allowExcept(_, _, let width): argument >> width == 0 ? .allow : .refuse(38)
        }
    }
}

extension [SeccompProgram.Instruction] {
    /// What the program says of a call; argument 0 has a set upper half.
    func answer(_ architecture: UInt32, _ number: UInt32, _ argument: UInt32) throws -> Answer {
        let result = try FilterMachine(instructions: self).run([
            0: number, 4: architecture, 16: argument, 20: 0xdead_beef,
        ])
        switch result {
        case 0x7fff_0000: return .allow
        case _ where result >> 16 == 5: return .refuse(result & 0xffff)
        default: throw FilterMachine.Fault(position: -1)
        }
    }
}
