import Synchronization

/// The filters of supervised steps, each made once for all steps with the same traps.
public final class CallFilters: Sendable {
    private let filters = Mutex<[[CallTrap]: CallFilter]>([:])

    /// No filters yet.
    public init() {}

    /// Supervision by these, in this order; nil where there is nobody.
    ///
    /// - Throws: `SandboxError` when libseccomp cannot make the filter.
    public func supervision(by supervisors: [any CallSupervisor]) throws(SandboxError) -> Supervision? {
        guard !supervisors.isEmpty else { return nil }
        let traps = supervisors.flatMap(\.traps)
        let filter: CallFilter
        if let known = filters.withLock({ $0[traps] }) {
            filter = known
        } else {
            // Two steps may both make it at first: that does no harm.
            let made = try CallFilter(traps)
            filters.withLock { $0[traps] = made }
            filter = made
        }
        return Supervision(filter: filter, supervisors: supervisors)
    }
}
