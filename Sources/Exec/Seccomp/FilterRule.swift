/// What libseccomp is told of one call: what to do with it, always or under a condition.
///
/// Rules that hold at once say the same: nothing depends on the order in which libseccomp looks at them.
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
///
/// libseccomp compares all 64 bits otherwise, and the kernel passes over the upper ones: what is refused by a comparison
/// of all of them could be had by setting one.
struct ArgumentComparison: Sendable, Hashable {
    var argument: Int
    var mask: UInt32
    var value: UInt32
}

extension SeccompProfile.Verdict {
    /// The rules that make up the verdict on a call.
    func rules(for call: CInt) -> [FilterRule] {
        func rule(_ action: FilterRule.Action, _ argument: Int, mask: UInt32, value: UInt32) -> FilterRule {
            FilterRule(
                call: call,
                action: action,
                comparison: ArgumentComparison(argument: argument, mask: mask, value: value)
            )
        }
        switch self {
        case .allow: return [FilterRule(call: call, action: .allow)]
        case .refuse(.notPermitted): return [FilterRule(call: call, action: .refuse)]
        case .refuse(.notImplemented): return []
        case .allowWithoutBits(let argument, let bits):
            return [rule(.allow, argument, mask: bits, value: 0)]
                + bits.singleBits.map { rule(.refuse, argument, mask: $0, value: $0) }
        case .allowWithoutBitsOrWithAll(let argument, let bits):
            let single = bits.singleBits
            // Of bits that are neither all clear nor all set, one that is set is followed by one that is clear, the
            // last one by the first. And where those are all set, the others must be.
            let mixed =
                zip(single, single.dropFirst() + single.prefix(1))
                + single.prefix(1).flatMap { set in
                    (~bits).singleBits.map { (set, $0) }
                }
            return [
                rule(.allow, argument, mask: bits, value: 0), rule(.allow, argument, mask: .max, value: .max),
            ] + mixed.map { set, clear in rule(.refuse, argument, mask: set | clear, value: set) }
        case .allowExcept(let argument, let values, let width):
            return Self.blocks(without: values, from: 0, width: width).map { block in
                let mask: UInt32 = .max << block.width
                return rule(values.contains(block.start) ? .refuse : .allow, argument, mask: mask, value: block.start)
            }
        }
    }

    /// The numbers of `width` bits after `start`, in the fewest blocks of powers of two that are one of `values` or have
    /// none of them.
    private static func blocks(
        without values: [UInt32],
        from start: UInt32,
        width: UInt32
    ) -> [(start: UInt32, width: UInt32)] {
        guard width > 0, values.contains(where: { $0 >> width == start >> width }) else { return [(start, width)] }
        return blocks(without: values, from: start, width: width - 1)
            + blocks(without: values, from: start | 1 << (width - 1), width: width - 1)
    }
}

extension UInt32 {
    /// The bits that are set, each by itself, from the lowest one up.
    fileprivate var singleBits: [UInt32] {
        (UInt32(0)..<32).map { 1 << $0 }.filter { self & $0 != 0 }
    }
}
