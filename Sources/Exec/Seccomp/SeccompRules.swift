/// A system call filter as a user wrote it, with what its conditions on the machine and the step came to.
public struct SeccompRules: Sendable, Hashable {
    /// What happens with a call that no rule is about.
    public var defaultAction: Action

    /// The interfaces beside the machine's own, by libseccomp's names: `x86`.
    public var architectures: [String]

    /// The rules.
    public var rules: [Rule]

    /// A filter of rules.
    public init(defaultAction: Action, architectures: [String], rules: [Rule]) {
        self.defaultAction = defaultAction
        self.architectures = architectures
        self.rules = rules
    }

    /// What happens with a call: a value that the filter returns (seccomp(2)).
    public struct Action: RawRepresentable, Sendable, Hashable {
        /// The SECCOMP_RET value, with its data.
        public var rawValue: UInt32

        /// An action by its value.
        public init(rawValue: UInt32) {
            self.rawValue = rawValue
        }
    }

    /// What happens with some calls when all comparisons hold.
    public struct Rule: Sendable, Hashable {
        /// The calls; names that libseccomp does not know are passed over, as calls that this kernel may not have.
        public var names: [String]
        /// What happens with them.
        public var action: Action
        /// Conditions on the arguments.
        public var comparisons: [Comparison]
        /// The rule's place in its file, for messages.
        public var place: String

        /// A rule for some calls.
        public init(names: [String], action: Action, comparisons: [Comparison], place: String) {
            self.names = names
            self.action = action
            self.comparisons = comparisons
            self.place = place
        }
    }

    /// A condition on an argument.
    public struct Comparison: Sendable, Hashable {
        /// How an argument is compared; the values are libseccomp's.
        public enum Operator: String, Sendable, Hashable, CaseIterable {
            case notEqual = "SCMP_CMP_NE"
            case less = "SCMP_CMP_LT"
            case lessOrEqual = "SCMP_CMP_LE"
            case equal = "SCMP_CMP_EQ"
            case greaterOrEqual = "SCMP_CMP_GE"
            case greater = "SCMP_CMP_GT"
            case maskedEqual = "SCMP_CMP_MASKED_EQ"
        }

        /// The argument, from 0 on.
        public var argument: UInt32
        /// How it is compared.
        public var comparison: Operator
        /// What it is compared with; of `maskedEqual` the mask.
        public var value: UInt64
        /// Of `maskedEqual`, what it is compared with.
        public var second: UInt64

        /// A condition on an argument.
        public init(argument: UInt32, comparison: Operator, value: UInt64, second: UInt64) {
            self.argument = argument
            self.comparison = comparison
            self.value = value
            self.second = second
        }
    }
}

extension SeccompRules.Action {
    /// The call is made: SECCOMP_RET_ALLOW.
    public static let allow = Self(rawValue: 0x7fff_0000)
    /// The call is made, and noted in the system's log: SECCOMP_RET_LOG.
    public static let log = Self(rawValue: 0x7ffc_0000)
    /// SIGSYS for the thread: SECCOMP_RET_TRAP.
    public static let trap = Self(rawValue: 0x0003_0000)
    /// The thread ends: SECCOMP_RET_KILL_THREAD.
    public static let killThread = Self(rawValue: 0)
    /// The process ends: SECCOMP_RET_KILL_PROCESS.
    public static let killProcess = Self(rawValue: 0x8000_0000)

    /// The call fails with an error number: SECCOMP_RET_ERRNO.
    public static func error(_ code: UInt16) -> Self { Self(rawValue: 0x0005_0000 | UInt32(code)) }

    /// A tracer is told, with a number: SECCOMP_RET_TRACE.
    public static func trace(_ code: UInt16) -> Self { Self(rawValue: 0x7ff0_0000 | UInt32(code)) }
}
