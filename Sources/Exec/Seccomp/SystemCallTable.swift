import CSeccomp
import Glibc

/// A system call interface of the kernel, by the number with which audit(7) names it.
enum FilterArchitecture: UInt32, Sendable, Hashable {
    case x86_64 = 0xc000_003e
    case i386 = 0x4000_0003
    case aarch64 = 0xc000_00b7
    case arm = 0x4000_0028

    /// The interfaces that a program on this machine can use, its native one first.
    ///
    /// Not x32: distributions ship it turned off.
    static var all: [FilterArchitecture] {
        #if arch(x86_64)
        [.x86_64, .i386]
        #else
        [.aarch64, .arm]
        #endif
    }

    var name: String {
        switch self {
        case .x86_64: "x86_64"
        case .i386: "i386"
        case .aarch64: "aarch64"
        case .arm: "arm"
        }
    }

    var isNative: Bool { rawValue == seccomp_arch_native() }
}

/// A profile applied to one interface and one set of capabilities: what happens with every call that is known.
///
/// A number that is not in the table answers ENOSYS, as a kernel does that is older than the call, so that programs fall
/// back on what there was before.
struct SystemCallTable: Sendable, Hashable {
    let architecture: FilterArchitecture

    /// The calls, by rising number.
    let entries: [Entry]

    struct Entry: Sendable, Hashable {
        var number: UInt32
        var name: String
        var verdict: SeccompProfile.Verdict
    }

    init(_ profile: SeccompProfile, architecture: FilterArchitecture, capabilities: CapabilitySet) {
        self.architecture = architecture
        var verdicts: [String: SeccompProfile.Verdict] = [:]
        for rule in profile.rules {
            let holds = rule.condition.holds(architecture, capabilities)
            for name in rule.names {
                if holds {
                    verdicts[name] = rule.verdict
                } else if verdicts[name] == nil {
                    verdicts[name] = .refuse(.notPermitted)
                }
            }
        }
        let calls = Self.calls(of: architecture)
        // ARM has a few calls far above the rest.
        let newest = calls.last { $0.number < Self.numberLimit && verdicts[$0.name] != nil }?.number ?? 0
        entries = calls.compactMap { call in
            if let verdict = verdicts[call.name] {
                return Entry(number: call.number, name: call.name, verdict: verdict)
            }
            // A call that the profile passes over is refused; unless it is younger than the profile.
            guard call.number < newest else { return nil }
            return Entry(number: call.number, name: call.name, verdict: .refuse(.notPermitted))
        }
    }
}

extension SystemCallTable {
    /// Above the numbers that interfaces share.
    private static let numberLimit: UInt32 = 0x200

    /// The calls of 32-bit ARM alone (arch/arm/include/uapi/asm/unistd.h).
    private static let privateNumbers = UInt32(0xf0001)...0xf0006

    /// The calls that an interface has, as far as a rule can be made for them, by rising number.
    static func calls(of architecture: FilterArchitecture) -> [(number: UInt32, name: String)] {
        (Array(0..<numberLimit) + Array(privateNumbers)).compactMap { number in
            name(of: number, architecture).map { (number, $0) }
        }
    }

    /// The name of a call; nil when nobody knows it.
    static func name(of number: UInt32, _ architecture: FilterArchitecture) -> String? {
        if let name = seccomp_syscall_resolve_num_arch(architecture.rawValue, CInt(number)) {
            defer { free(name) }
            return String(cString: name)
        }
        // What libseccomp cannot name, it can filter on the native interface only.
        guard architecture.isNative else { return nil }
        return recentCalls.first { $0.number == number }?.name
    }

    /// Calls that the installed libseccomp may be too old to know.
    ///
    /// Their numbers are the same on every interface (include/uapi/asm-generic/unistd.h in the kernel's sources).
    private static let recentCalls: [(name: String, number: UInt32)] = [
        ("cachestat", 451), ("fchmodat2", 452), ("map_shadow_stack", 453), ("futex_wake", 454), ("futex_wait", 455),
        ("futex_requeue", 456), ("statmount", 457), ("listmount", 458), ("lsm_get_self_attr", 459),
        ("lsm_set_self_attr", 460), ("lsm_list_modules", 461), ("mseal", 462), ("setxattrat", 463),
        ("getxattrat", 464), ("listxattrat", 465), ("removexattrat", 466), ("open_tree_attr", 467),
    ]
}

extension SeccompProfile.Condition {
    fileprivate func holds(_ architecture: FilterArchitecture, _ capabilities: CapabilitySet) -> Bool {
        switch self {
        case .always: true
        case .has(let needed): capabilities.isSuperset(of: needed)
        case .on(let architectures): architectures.contains(architecture)
        }
    }
}
