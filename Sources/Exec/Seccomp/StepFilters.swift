import Synchronization

/// The system call filters of a build's steps, each read or made once.
public final class StepFilters: Sendable {
    private let filters = Mutex<[Definition: Filter]>([:])

    private struct Definition: Hashable {
        var policy: SeccompPolicy
        var capabilities: CapabilitySet
    }

    /// A filter: whoever asks first makes it, and others wait meanwhile.
    private final class Filter: Sendable {
        let program = Mutex<SeccompProgram?>(nil)
    }

    /// No filters yet.
    public init() {}

    /// Sets about the program of a plan's policy on a thread of its own: libseccomp takes some 15 ms.
    ///
    /// What fails here fails again with the step that asks for it, and is told then.
    public func begin(_ plan: SandboxPlan) {
        guard plan.seccomp == .docker else { return }
        _ = DetachedThread.start { [self] in _ = try? program(of: plan) }
    }

    /// Puts the program of a plan's policy in the policy's place.
    ///
    /// - Throws: `SandboxError` when libseccomp cannot make it.
    public func resolve(_ plan: inout SandboxPlan) throws(SandboxError) {
        guard plan.seccomp == .docker else { return }
        plan.seccomp = .program(try program(of: plan))
    }

    private func program(of plan: SandboxPlan) throws(SandboxError) -> SeccompProgram {
        let definition = Definition(policy: plan.seccomp, capabilities: plan.capabilities)
        let filter = filters.withLock { filters in
            if let known = filters[definition] { return known }
            let filter = Filter()
            filters[definition] = filter
            return filter
        }
        return try filter.program.withLock { program throws(SandboxError) in
            if let program { return program }
            let made = try plan.filter()
            program = made
            return made
        }
    }
}
