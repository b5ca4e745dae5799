import Synchronization

/// The system call filters of a build's steps, each read or made once.
public final class StepFilters: Sendable {
    private let programs = Mutex<[Definition: SeccompProgram]>([:])

    private struct Definition: Hashable {
        var policy: SeccompPolicy
        var capabilities: CapabilitySet
    }

    /// No filters yet.
    public init() {}

    /// Puts the program of a plan's policy in the policy's place.
    ///
    /// - Throws: `SandboxError` when libseccomp cannot make it.
    public func resolve(_ plan: inout SandboxPlan) throws(SandboxError) {
        guard plan.seccomp == .docker else { return }
        let definition = Definition(policy: plan.seccomp, capabilities: plan.capabilities)
        if let known = programs.withLock({ $0[definition] }) {
            plan.seccomp = .program(known)
            return
        }
        let program = try plan.filter()
        programs.withLock { $0[definition] = program }
        plan.seccomp = .program(program)
    }
}
