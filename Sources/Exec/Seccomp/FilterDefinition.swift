import CSeccomp
import SystemPackage

/// All that libseccomp is told to make a program of.
struct FilterDefinition: Sendable, Hashable {
    let sections: [Section]

    /// The rules for one interface.
    struct Section: Sendable, Hashable {
        var architecture: FilterArchitecture
        var rules: [FilterRule]

        init(_ table: SystemCallTable) {
            architecture = table.architecture
            // By rising number: where there is socketcall(2) or ipc(2), which an argument makes one of several calls, it
            // comes before these, and the rule for all of it holds.
            rules = table.entries.flatMap { entry in
                let call =
                    table.architecture.isNative ? CInt(entry.number) : seccomp_syscall_resolve_name(entry.name)
                return entry.verdict.rules(for: call)
            }
        }
    }

    init(
        _ profile: SeccompProfile,
        capabilities: CapabilitySet,
        architectures: [FilterArchitecture] = FilterArchitecture.all
    ) {
        sections = architectures.map {
            Section(SystemCallTable(profile, architecture: $0, capabilities: capabilities))
        }
    }

    /// Has libseccomp make the program, and makes it shorter.
    func compiled() throws(SandboxError) -> SeccompProgram { try asLibraryMakesIt().compacted() }

    /// Has libseccomp make the program.
    func asLibraryMakesIt() throws(SandboxError) -> SeccompProgram {
        guard let first = sections.first else { throw SandboxError(.seccomp, .invalidArgument) }
        let whole = try FilterContext.filter(for: first)
        for section in sections.dropFirst() { try whole.merge(.filter(for: section)) }
        // Nothing that this room would not take from a file either goes to the kernel.
        guard let program = SeccompProgram(checking: try whole.exported()) else {
            throw SandboxError(.seccomp, .invalidArgument)
        }
        return program
    }
}

extension FilterDefinition {
    /// The name of a file with the program made of this.
    ///
    /// It names all that the program depends on: libseccomp's version, the machine, what libseccomp is told, and the form
    /// that the program is brought into.
    var fileName: String {
        let version = seccomp_version().map { "\($0.pointee.major).\($0.pointee.minor).\($0.pointee.micro)" } ?? "0"
        let digits = String(fingerprint, radix: 16)
        let padding = String(repeating: "0", count: 16 - digits.count)
        let machine = sections.first?.architecture.name ?? "none"
        return "seccomp-\(version)-\(machine)-\(padding)\(digits).bpf"
    }

    /// Rises with each change of what ``SeccompProgram/compacted()`` makes.
    private static let form: UInt64 = 1

    /// FNV-1a (draft-eastlake-fnv) over everything that is here, each value as eight bytes.
    private var fingerprint: UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func add(_ value: UInt64) {
            withUnsafeBytes(of: value.littleEndian) { bytes in
                for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
            }
        }
        add(Self.form)
        for section in sections {
            add(UInt64(section.architecture.rawValue))
            add(UInt64(section.rules.count))
            for rule in section.rules {
                add(UInt64(bitPattern: Int64(rule.call)))
                add(UInt64(rule.action.rawValue))
                guard let comparison = rule.comparison else {
                    add(0)
                    continue
                }
                add(1 + UInt64(comparison.argument))
                add(UInt64(comparison.mask) << 32 | UInt64(comparison.value))
            }
        }
        return hash
    }
}
