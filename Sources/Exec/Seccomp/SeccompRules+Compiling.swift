import CSeccomp
import SystemPackage

extension SeccompProgram {
    /// Has libseccomp make the program of a user's rules.
    ///
    /// - Throws: `SandboxError`, with the rule's place, when libseccomp cannot make it.
    public static func compiled(_ rules: SeccompRules) throws(SandboxError) -> SeccompProgram {
        let context = try FilterContext(otherwise: rules.defaultAction.rawValue)
        for name in rules.architectures { try context.addArchitecture(name) }
        for rule in rules.rules where rule.action != rules.defaultAction {
            for name in rule.names { try context.add(name, rule) }
        }
        guard let program = SeccompProgram(checking: try context.exported(), withAnyAction: true) else {
            throw SandboxError(.seccomp, .invalidArgument)
        }
        return program.compacted()
    }
}

extension FilterContext {
    /// Adds an interface beside the native one; one that libseccomp does not know is none of this machine's.
    fileprivate borrowing func addArchitecture(_ name: String) throws(SandboxError) {
        let token = seccomp_arch_resolve_name(name)
        guard token != 0, seccomp_arch_exist(handle, token) != 0 else { return }
        let result = seccomp_arch_add(handle, token)
        guard result == 0 else { throw SandboxError(.seccompRule("architecture \(name)"), code: -result) }
    }

    borrowing func add(_ name: String, _ rule: SeccompRules.Rule) throws(SandboxError) {
        let call = seccomp_syscall_resolve_name(name)
        guard call != FilterContext.unknownCall else { return }
        // Of several conditions on one argument each is a rule of its own: libseccomp takes one for each argument.
        let arguments = rule.comparisons.map(\.argument)
        let isRepeated = Set(arguments).count < arguments.count
        let lists = isRepeated ? rule.comparisons.map { [$0] } : [rule.comparisons]
        for list in lists {
            let lowered = list.map(\.lowered)
            let result = seccomp_rule_add_array(handle, rule.action.rawValue, call, UInt32(lowered.count), lowered)
            guard result == 0 || result == -FilterContext.alreadyThere else {
                throw SandboxError(.seccompRule("\(rule.place) (\(name))"), code: -result)
            }
        }
    }

    /// __NR_SCMP_ERROR.
    private static let unknownCall: CInt = -1
    /// EEXIST.
    private static let alreadyThere: CInt = 17
}

extension SeccompRules.Comparison {
    fileprivate var lowered: scmp_arg_cmp {
        scmp_arg_cmp(arg: argument, op: comparison.lowered, datum_a: value, datum_b: second)
    }
}

extension SeccompRules.Comparison.Operator {
    fileprivate var lowered: scmp_compare {
        switch self {
        case .notEqual: SCMP_CMP_NE
        case .less: SCMP_CMP_LT
        case .lessOrEqual: SCMP_CMP_LE
        case .equal: SCMP_CMP_EQ
        case .greaterOrEqual: SCMP_CMP_GE
        case .greater: SCMP_CMP_GT
        case .maskedEqual: SCMP_CMP_MASKED_EQ
        }
    }
}
