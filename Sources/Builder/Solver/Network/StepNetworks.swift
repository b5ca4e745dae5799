import Exec
import Synchronization

/// The networks of a build's steps.
///
/// Steps that run at the same time have different ones; a step that follows another takes over its network, with the
/// helper that may run for it by then. So a build has as many as it runs steps at a time. With the network goes the lane
/// on which the next step's sandbox is prepared.
final class StepNetworks: Sendable {
    let helpers: [NetworkHelper]
    private let cancellation: Cancellation
    private let free = Mutex<[NetworkMode: [Lane]]>([:])
    private let resolver = Mutex<(machines: [UInt8], steps: [UInt8])?>(nil)
    /// What the steps' sandboxes leave, whichever lane they were on: the layers that one wrote are below another's root.
    let remains = SandboxRemains()
    private let isWarned = Atomic<Bool>(false)

    /// How many steps have not begun to run.
    private let waiting: Atomic<Int>
    /// Does what else can be done for the next step.
    private let prepareNext: @Sendable () -> Void

    /// What one step after the other uses.
    struct Lane: Sendable {
        var wayOut: WayOut?
        var sandboxes: SandboxLane?
    }

    /// The networks of so many steps; `prepare` is called beside a step that another one may follow.
    init(
        steps: Int,
        prepare: @escaping @Sendable () -> Void = {},
        helpers: [NetworkHelper],
        cancellation: Cancellation
    ) {
        waiting = Atomic(steps)
        prepareNext = prepare
        self.helpers = helpers
        self.cancellation = cancellation
    }

    /// A network for a step, and the lane that goes with it.
    ///
    /// One that a step can change (its addresses, its filters, its settings) is that step's alone.
    func borrow(_ mode: NetworkMode, alone: Bool) throws(SandboxError) -> Lane {
        if !alone, let known = free.withLock({ $0[mode]?.popLast() }) { return known }
        guard mode == .default else { return Lane() }
        return Lane(wayOut: try WayOut(helpers: helpers, cancellation: cancellation))
    }

    /// Notes that a step begins to run.
    func beginStep() { waiting.subtract(1, ordering: .relaxed) }

    /// Whether steps are left that have not begun to run.
    var hasMore: Bool { waiting.load(ordering: .relaxed) > 0 }

    /// Whether steps are left that have not begun; if so, what can be done for the next one has been done.
    func prepareForNext() -> Bool {
        guard hasMore else { return false }
        prepareNext()
        return true
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
    func giveBack(_ lane: Lane, _ mode: NetworkMode) {
        free.withLock { $0[mode, default: []].append(lane) }
    }

    /// Whether this is the first time that somebody asks: a build warns once.
    func isFirstWarning() -> Bool {
        !isWarned.exchange(true, ordering: .relaxed)
    }
}

/// A step's network: what its plan says, who is asked about its calls, and what becomes of it afterwards.
final class StepNetwork: Sendable {
    let network: SandboxPlan.Network
    private let mode: NetworkMode
    private let lane: StepNetworks.Lane
    private let isShared: Bool
    private let isSupervised: Bool
    private let networks: StepNetworks

    private var wayOut: WayOut? { lane.wayOut }

    /// Where the step's sandbox is prepared, or the next one's; none where nobody follows on this lane.
    var sandboxes: SandboxLane? { lane.sandboxes }

    /// The network of a step in this mode, whose capabilities are known, and its lane, where there is a directory for that.
    init(
        _ mode: NetworkMode,
        for plan: SandboxPlan,
        _ networks: StepNetworks,
        directory: (() throws -> String)? = nil
    ) throws {
        self.networks = networks
        self.mode = mode
        isShared = !plan.isPrivileged && plan.capabilities.isDisjoint(with: [.netAdmin, .sysAdmin])
        var lane = try networks.borrow(mode, alone: !isShared)
        // Who asked for a step without filters gets none: the way out is opened before it starts.
        isSupervised = plan.seccomp != .unconfined
        switch mode {
        case .none: network = .none
        case .host: network = .host
        case .default:
            network = lane.wayOut.map { .joined($0.namespace) } ?? .none
            if !isSupervised { lane.wayOut?.open() }
        }
        if isShared, lane.sandboxes == nil, let directory {
            var first = plan
            first.network = network
            lane.sandboxes = SandboxLane(
                for: first,
                directory: try directory(),
                remains: networks.remains
            ) { [weak networks] in
                networks?.prepareForNext() ?? false
            }
            lane.sandboxes?.prepare()
        }
        self.lane = lane
    }

    deinit {
        if isShared { networks.giveBack(lane, mode) }
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
