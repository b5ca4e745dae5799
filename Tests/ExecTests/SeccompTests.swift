import Testing

@testable import Exec

/// The system call filter, run instruction by instruction against the tables it was made of.
@Suite struct SeccompTests {
    private static let numbers = Array(UInt32(0)...700) + [0xf0001, 0xf0002, 0xf0005, 0x4000_0001, .max]
    private static let arguments: [UInt32] = [
        0, 1, 8, 16, 40, 41, 0x20000, 0x20008, 0x7e02_0000, 0x1000_0000, 0x0120_0011, .max,
    ]

    @Test(arguments: [CapabilitySet.docker, [], [.sysAdmin, .sysPtrace], CapabilitySet(rawValue: .max)])
    func saysWhatTheTablesSay(capabilities: CapabilitySet) throws {
        let program = try SeccompPolicy.docker.filter(for: capabilities)
        for architecture in FilterArchitecture.all {
            let table = SystemCallTable(.docker, architecture: architecture, capabilities: capabilities)
            var verdicts: [UInt32: SeccompProfile.Verdict] = [:]
            for entry in table.entries { verdicts[entry.number] = entry.verdict }
            for number in Self.numbers {
                let verdict = verdicts[number] ?? table.verdictForUnnamed(number)
                for argument in Self.arguments {
                    let answer = try program.answer(architecture.rawValue, number, argument)
                    try #require(answer == verdict.answer(argument), "\(architecture) \(number) \(argument)")
                }
            }
        }
    }

    @Test func answersENOSYSToForeignInterfaces() throws {
        let program = try SeccompPolicy.docker.filter(for: .docker)
        #expect(try program.answer(0x8000_0016, 1, 0) == .refuse(38))
    }

    @Test(arguments: [
        ("read", Answer.allow), ("openat2", .allow), ("fchmodat2", .allow), ("chroot", .allow), ("ptrace", .allow),
        ("mount", .refuse(1)), ("unshare", .refuse(1)), ("setns", .refuse(1)), ("bpf", .refuse(1)),
        ("open_tree_attr", .refuse(1)), ("keyctl", .refuse(1)), ("io_uring_setup", .refuse(1)), ("reboot", .refuse(1)),
        ("init_module", .refuse(1)), ("perf_event_open", .refuse(1)), ("userfaultfd", .refuse(1)),
        ("open_by_handle_at", .refuse(1)), ("pivot_root", .refuse(1)), ("clone3", .refuse(38)),
    ])
    func knowsThatCall(name: String, expected: Answer) throws {
        let program = try SeccompPolicy.docker.filter(for: .docker)
        for architecture in FilterArchitecture.all {
            guard let number = SystemCallTable.number(of: name, architecture) else { continue }
            #expect(try program.answer(architecture.rawValue, number, 0) == expected)
        }
    }

    @Test func looksAtArguments() throws {
        let program = try SeccompPolicy.docker.filter(for: .docker)
        let native = try #require(FilterArchitecture.all.first)
        func answer(_ name: String, _ argument: UInt32) throws -> Answer {
            let number = try #require(SystemCallTable.number(of: name, native))
            return try program.answer(native.rawValue, number, argument)
        }
        #expect(try answer("clone", 0x0120_0011) == .allow, "a fork")
        for bit in [17, 25, 26, 27, 28, 29, 30] {
            #expect(try answer("clone", 1 << bit | 17) == .refuse(1), "a namespace")
        }
        #expect(try answer("socket", 2) == .allow)
        #expect(try answer("socket", 40) == .refuse(1))
        #expect(try answer("personality", 0) == .allow)
        #expect(try answer("personality", 0x0040_0000) == .refuse(1))
    }

    @Test func opensAdministrationWithItsCapability() throws {
        let program = try SeccompPolicy.docker.filter(for: CapabilitySet.docker.union(.sysAdmin))
        let native = try #require(FilterArchitecture.all.first)
        for name in ["mount", "unshare", "clone3", "clone", "setns"] {
            let number = try #require(SystemCallTable.number(of: name, native))
            #expect(try program.answer(native.rawValue, number, 0x1000_0000) == .allow)
        }
    }

    @Test func namesOnlyCallsThatExist() {
        for rule in SeccompProfile.docker.rules {
            for name in rule.names where !Self.unknownHere.contains(name) {
                let known = [FilterArchitecture.x86_64, .i386, .aarch64, .arm].contains {
                    SystemCallTable.number(of: name, $0) != nil
                }
                #expect(known, "\(name)")
            }
        }
    }

    /// Calls of other machines, or newer than the oldest libseccomp this is built with.
    private static let unknownHere = ["fstatat64", "getsid", "fadvise64_64", "sync_file_range2", "uretprobe"]
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
        case .allowValues(_, let values): values.contains(argument) ? .allow : .refuse(1)
        case .allowExcept(_, let value): argument == value ? .refuse(1) : .allow
        }
    }
}

extension [FilterInstruction] {
    private struct Fault: Error {
        var position: Int
    }

    /// Runs the program as the kernel does (Documentation/networking/filter.rst).
    ///
    /// Argument 0 has a set upper half.
    func answer(_ architecture: UInt32, _ number: UInt32, _ argument: UInt32) throws -> Answer {
        var accumulator: UInt32 = 0
        var position = 0
        while indices.contains(position) {
            let instruction = self[position]
            position += 1
            switch instruction.code {
            case 0x20:
                let words: [UInt32: UInt32] = [0: number, 4: architecture, 16: argument, 20: 0xdead_beef]
                guard let word = words[instruction.operand] else { throw Fault(position: position) }
                accumulator = word
            case 0x05: position += Int(instruction.operand)
            case 0x15:
                position += Int(accumulator == instruction.operand ? instruction.whenTrue : instruction.whenFalse)
            case 0x35:
                position += Int(accumulator >= instruction.operand ? instruction.whenTrue : instruction.whenFalse)
            case 0x45:
                let holds = accumulator & instruction.operand != 0
                position += Int(holds ? instruction.whenTrue : instruction.whenFalse)
            case 0x06 where instruction.operand == 0x7fff_0000: return .allow
            case 0x06 where instruction.operand >> 16 == 5: return .refuse(instruction.operand & 0xffff)
            default: throw Fault(position: position)
            }
        }
        throw Fault(position: position)
    }
}
