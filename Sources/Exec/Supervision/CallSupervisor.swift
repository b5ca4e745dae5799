import SystemPackage

/// Answers system calls of a step.
///
/// Called on the thread that runs the step, one call after the other; what the step writes is not read meanwhile.
public protocol CallSupervisor: Sendable {
    /// What is asked about.
    var traps: [CallTrap] { get }

    /// Answers a call.
    ///
    /// Of several supervisors that trap it, the first one that does not let it proceed decides.
    func answer(_ call: borrowing TrappedCall) -> CallAnswer

    /// Whether the step may run unsupervised when the kernel does not let it be supervised.
    ///
    /// Asked before the command begins. One reason: somebody supervises this program itself (EBUSY).
    func mayRunUnsupervised(_ error: Errno) -> Bool
}

extension CallSupervisor {
    /// Says no.
    public func mayRunUnsupervised(_ error: Errno) -> Bool { false }
}

/// The supervisors of a step, with the filter that asks them.
public struct Supervision: Sendable {
    let filter: CallFilter
    let supervisors: [any CallSupervisor]

    /// Supervisors, and the filter made of the traps of all of them.
    public init(filter: CallFilter, supervisors: [any CallSupervisor]) {
        self.filter = filter
        self.supervisors = supervisors
    }

    func answer(_ call: borrowing TrappedCall) -> CallAnswer {
        for supervisor in supervisors where supervisor.traps.contains(where: { $0.names.contains(call.name) }) {
            let answer = supervisor.answer(call)
            if answer != .proceed { return answer }
        }
        return .proceed
    }
}
