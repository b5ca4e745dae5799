import Exec
import Synchronization

/// The networks of a build's steps.
///
/// Steps that run at the same time have different ones; a step that follows another takes over its network, with the
/// helper that may run for it by then. So a build has as many as it runs steps at a time.
final class StepNetworks: Sendable {
    let helpers: [NetworkHelper]
    private let cancellation: Cancellation
    private let free = Mutex<[WayOut]>([])
    private let resolver = Mutex<(machines: [UInt8], steps: [UInt8])?>(nil)
    private let isWarned = Atomic<Bool>(false)

    init(helpers: [NetworkHelper], cancellation: Cancellation) {
        self.helpers = helpers
        self.cancellation = cancellation
    }

    /// A network with a way out for a step.
    ///
    /// One that a step can change (its addresses, its filters, its settings) is that step's alone.
    func borrow(alone: Bool) throws(SandboxError) -> WayOut {
        if !alone, let known = free.withLock({ $0.popLast() }) { return known }
        return try WayOut(helpers: helpers, cancellation: cancellation)
    }

    /// `/etc/resolv.conf` of a step, made of the machine's.
    func resolverFile(_ machines: [UInt8], for mode: NetworkMode) -> [UInt8] {
        guard mode == .default, !helpers.isEmpty else { return machines }
        if let known = resolver.withLock({ $0 }), known.machines == machines { return known.steps }
        let steps = ResolverFile.adapted(
            machines,
            nameServer: NetworkHelper.nameServer,
            unreachable: ResolverFile.ownAddresses()
        )
        resolver.withLock { $0 = (machines, steps) }
        return steps
    }

    /// Takes a network back when the step has ended.
    func giveBack(_ network: WayOut) {
        free.withLock { $0.append(network) }
    }

    /// Whether this is the first time that somebody asks: a build warns once.
    func isFirstWarning() -> Bool {
        !isWarned.exchange(true, ordering: .relaxed)
    }
}

/// A step's network: what its plan says, who is asked about its calls, and what becomes of it afterwards.
final class StepNetwork: Sendable {
    let network: SandboxPlan.Network
    private let wayOut: WayOut?
    private let isShared: Bool
    private let isSupervised: Bool
    private let networks: StepNetworks

    /// The network of a step in this mode, whose capabilities are known.
    init(_ mode: NetworkMode, for plan: SandboxPlan, _ networks: StepNetworks) throws(SandboxError) {
        self.networks = networks
        // Who asked for a step without filters gets none: the way out is opened before it starts.
        isSupervised = plan.seccomp != .unconfined
        switch mode {
        case .none: (network, wayOut, isShared) = (.none, nil, false)
        case .host: (network, wayOut, isShared) = (.host, nil, false)
        case .default:
            isShared = !plan.isPrivileged && plan.capabilities.isDisjoint(with: [.netAdmin, .sysAdmin])
            let wayOut = try networks.borrow(alone: !isShared)
            self.wayOut = wayOut
            network = .joined(wayOut.namespace)
            if !isSupervised { wayOut.open() }
        }
    }

    deinit {
        if isShared, let wayOut { networks.giveBack(wayOut) }
    }

    /// Who is asked about the step's calls: nobody when the way out is there already.
    var supervisors: [any CallSupervisor] {
        guard isSupervised, let wayOut, !wayOut.isOpen else { return [] }
        return [wayOut]
    }

    /// What is to be said of a step that failed, or to be warned of: that it asked for a way out and why it has none.
    var complaint: String? {
        guard let wayOut, !wayOut.failures.isEmpty, !wayOut.failures.contains(.cancelled) else { return nil }
        let reasons = wayOut.failures.map(\.description).joined(separator: "; ")
        let advice =
            wayOut.failures == [.missing]
            ? "install slirp4netns or pasta (Debian's package passt), or share the host's with --network=host"
            : "`swbuild doctor` may say more; --network=host shares the host's network (helpers: slirp4netns, pasta)"
        return "the step has no network but the loopback interface: \(reasons); \(advice)"
    }
}
