import CSeccomp
import SystemPackage

/// A system call filter that lets everything pass but what is trapped: that waits for an answer.
///
/// It stands beside the filter of the step's plan, whose refusals go before.
public struct CallFilter: Sendable, Hashable {
    let program: SeccompProgram

    /// Has libseccomp make the filter; once for all steps with the same traps.
    ///
    /// - Throws: `SandboxError` when libseccomp cannot make it.
    public init(_ traps: [CallTrap]) throws(SandboxError) {
        let rules = traps.map {
            SeccompRules.Rule(names: $0.names, action: .ask, comparisons: $0.comparisons, place: "the supervisors")
        }
        let context = try FilterContext(otherwise: SeccompRules.Action.allow.rawValue)
        // Interfaces that the traps do not know are none of this filter's business.
        try context.setBadArchitectureAction(SeccompRules.Action.allow.rawValue)
        for architecture in FilterArchitecture.all where !architecture.isNative {
            try context.addArchitecture(architecture)
        }
        for rule in rules {
            for name in rule.names { try context.add(name, rule) }
        }
        guard let program = SeccompProgram(checking: try context.exported(), withAnyAction: true) else {
            throw SandboxError(.seccomp, .invalidArgument)
        }
        self.program = program
    }
}

extension SeccompRules.Action {
    /// The call waits for a supervisor: SECCOMP_RET_USER_NOTIF.
    static let ask = Self(rawValue: 0x7fc0_0000)
}
