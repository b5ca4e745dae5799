import CSeccomp

/// A system call interface of the kernel, by the number with which audit(7) names it.
enum FilterArchitecture: UInt32, Sendable, Hashable {
    case x86_64 = 0xc000_003e
    case i386 = 0x4000_0003
    case aarch64 = 0xc000_00b7
    case arm = 0x4000_0028

    /// The interfaces that a program on this machine can use.
    ///
    /// Not x32: distributions ship it turned off.
    static var all: [FilterArchitecture] {
        #if arch(x86_64)
        [.x86_64, .i386]
        #else
        [.aarch64, .arm]
        #endif
    }
}

/// A profile applied to one interface and one set of capabilities: what happens with every number.
struct SystemCallTable: Sendable, Hashable {
    let architecture: FilterArchitecture

    /// The numbers that have a verdict of their own, in rising order.
    let entries: [Entry]

    /// Numbers above this one are newer than the profile.
    ///
    /// They answer ENOSYS, as an older kernel would, so that programs fall back on what there was before.
    let newestKnown: UInt32

    struct Entry: Sendable, Hashable {
        var number: UInt32
        var verdict: SeccompProfile.Verdict
    }

    init(_ profile: SeccompProfile, architecture: FilterArchitecture, capabilities: CapabilitySet) {
        self.architecture = architecture
        var verdicts: [UInt32: SeccompProfile.Verdict] = [:]
        var newest: UInt32 = 0
        for rule in profile.rules {
            let holds = rule.condition.holds(architecture, capabilities)
            for name in rule.names {
                guard let number = Self.number(of: name, architecture) else { continue }
                // ARM has a few calls far above the rest.
                if number < 0x1000 { newest = max(newest, number) }
                if holds { verdicts[number] = rule.verdict }
            }
        }
        entries = verdicts.keys.sorted().compactMap { number in
            verdicts[number].map { Entry(number: number, verdict: $0) }
        }
        newestKnown = newest
    }

    /// What happens with a call that has no verdict of its own.
    func verdictForUnnamed(_ number: UInt32) -> SeccompProfile.Verdict {
        .refuse(number > newestKnown ? .notImplemented : .notPermitted)
    }

    /// The number of a call; nil where the interface does not have it.
    static func number(of name: String, _ architecture: FilterArchitecture) -> UInt32? {
        let number = seccomp_syscall_resolve_name_arch(architecture.rawValue, name)
        if number >= 0 { return UInt32(number) }
        for recent in recentCalls where recent.name == name { return recent.number }
        return nil
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
