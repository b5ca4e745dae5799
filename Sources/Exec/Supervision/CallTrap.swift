/// System calls that stop and wait for a supervisor's answer.
public struct CallTrap: Sendable, Hashable {
    /// The calls, by name; those that this machine does not have are passed over.
    public var names: [String]

    /// Conditions on the arguments, all of which must hold.
    ///
    /// The kernel passes over the upper half of an `int`: compare it with ``lowerHalf(of:is:)``.
    public var comparisons: [SeccompRules.Comparison]

    /// A trap for some calls, always or under conditions.
    public init(_ names: [String], where comparisons: [SeccompRules.Comparison] = []) {
        self.names = names
        self.comparisons = comparisons
    }

    /// The condition that an `int` argument (counted from 0) has a value.
    public static func lowerHalf(of argument: UInt32, is value: UInt32) -> SeccompRules.Comparison {
        SeccompRules.Comparison(
            argument: argument,
            comparison: .maskedEqual,
            value: UInt64(UInt32.max),
            second: UInt64(value)
        )
    }
}
