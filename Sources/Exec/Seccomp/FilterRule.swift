import CSeccomp

/// What libseccomp is told of one call: what to do with it, always or under a condition.
///
/// Of the rules for one call no two hold at once: nothing depends on the order in which libseccomp looks at them.
struct FilterRule: Sendable, Hashable {
    /// The call's number on the native interface, where libseccomp looks up the name of it; a negative one of its own
    /// for a call that only other interfaces have.
    var call: CInt
    var action: Action
    var comparison: ArgumentComparison?

    /// What happens with the call.
    ///
    /// The third possibility, ENOSYS, is what happens when no rule holds.
    enum Action: UInt32, Sendable, Hashable {
        /// SECCOMP_RET_ALLOW.
        case allow = 0x7fff_0000
        /// SECCOMP_RET_ERRNO with EPERM.
        case refuse = 0x0005_0001
    }

    /// SECCOMP_RET_ERRNO with ENOSYS: for calls that are not known, and for interfaces that are not.
    static let otherwise: UInt32 = 0x0005_0026
}

/// A condition on the lower half of an argument: the bits of `mask` are those of `value`.
struct ArgumentComparison: Sendable, Hashable {
    var argument: Int
    var mask: UInt32 = .max
    var value: UInt32

    /// Conditions of which exactly one holds for each value that is not in the list, and none for those in it.
    ///
    /// Each looks at the bits from some place upwards: at that place it differs from a value of the list, above it
    /// does not. (libseccomp has no 'unequal' that passes over the upper half of an argument.)
    static func others(than values: [UInt32], argument: Int) -> [ArgumentComparison] {
        var found: [ArgumentComparison] = []
        for bit in UInt32(0)..<32 {
            let mask = UInt32.max << bit
            for value in values {
                let other = ArgumentComparison(argument: argument, mask: mask, value: (value ^ 1 << bit) & mask)
                let isTaken = values.contains { $0 & mask == other.value }
                if !isTaken, !found.contains(other) { found.append(other) }
            }
        }
        return found
    }
}

extension SeccompProfile.Verdict {
    /// The rules that make up the verdict on a call.
    func rules(for call: CInt) -> [FilterRule] {
        switch self {
        case .allow: [FilterRule(call: call, action: .allow)]
        case .refuse(.notPermitted): [FilterRule(call: call, action: .refuse)]
        case .refuse(.notImplemented): []
        case .allowWithoutBits(let argument, let bits):
            Self.rules(
                for: call,
                allowing: [ArgumentComparison(argument: argument, mask: bits, value: 0)],
                refusing: (UInt32(0)..<32).map { 1 << $0 }.filter { $0 & bits != 0 }
                    .map { ArgumentComparison(argument: argument, mask: $0, value: $0) }
            )
        case .allowValues(let argument, let values):
            Self.rules(
                for: call,
                allowing: values.map { ArgumentComparison(argument: argument, value: $0) },
                refusing: ArgumentComparison.others(than: values, argument: argument)
            )
        case .allowExcept(let argument, let value):
            Self.rules(
                for: call,
                allowing: ArgumentComparison.others(than: [value], argument: argument),
                refusing: [ArgumentComparison(argument: argument, value: value)]
            )
        }
    }

    private static func rules(
        for call: CInt,
        allowing: [ArgumentComparison],
        refusing: [ArgumentComparison]
    ) -> [FilterRule] {
        allowing.map { FilterRule(call: call, action: .allow, comparison: $0) }
            + refusing.map { FilterRule(call: call, action: .refuse, comparison: $0) }
    }
}
