import CShims
import Glibc
import Synchronization

/// Prepares sandboxes for steps that follow one another.
///
/// Most of what a sandbox takes is the same for every step: the namespaces, the kernel's file systems, what is hidden of
/// them. While a step runs, a thread of the lane does that for the next one, which then has to wait only for its layers to
/// be mounted. The process that does it is like any step's: it is killed when this program ends, and nothing of a step is
/// in it before it has that step's plan.
public final class SandboxLane: Sendable {
    /// A directory of the host, the lane's own, that the sandboxes' private files cover; each sees its own.
    let directory: String
    /// Where the mounts of the lane's steps go.
    let remains: SandboxRemains
    private let template: SandboxPlan
    private let worker: LaneWorker

    /// A lane for steps with the network and the machine of a plan.
    ///
    /// - Parameters:
    ///   - plan: What every step of the lane has in common with.
    ///   - directory: An empty directory of the host for this lane alone.
    ///   - remains: Takes the mounts of steps that have ended; shared by lanes whose steps stand on one another's layers.
    ///   - hasMore: Whether another step may come: asked when one has begun.
    public init(
        for plan: SandboxPlan,
        directory: String,
        remains: SandboxRemains,
        hasMore: @escaping @Sendable () -> Bool
    ) {
        self.directory = directory
        self.remains = remains
        var template = SandboxPlan(
            root: SandboxPlan.Overlay(lowerDirectories: [], upperDirectory: "", workDirectory: directory),
            network: plan.network,
            seccomp: .unconfined,
            arguments: ["-"]
        )
        template.availableIDs = plan.availableIDs
        template.sharedMemorySize = plan.sharedMemorySize
        template.capabilities = plan.capabilities
        template.stagedMounts = plan.mounts.filter(\.isSameForAll)
        template.stagingDirectory = directory
        self.template = template
        worker = LaneWorker(
            preparation: Result { () throws(SandboxError) in try LoweredPlan(template, part: .preparation) },
            capabilities: template.capabilities,
            hasMore: hasMore
        )
    }

    deinit { worker.close() }

    /// Sets about a sandbox for the next step, where none is ready or on its way.
    public func prepare() { worker.prepare() }

    /// Whether what is prepared here is what a step needs.
    func serves(_ plan: SandboxPlan) -> Bool {
        plan.network == template.network && plan.availableIDs == template.availableIDs
            && plan.sharedMemorySize == template.sharedMemorySize
            && plan.capabilities.isSubset(of: template.capabilities) && plan.idMaps == nil && plan.runtime == nil
            && !plan.isPrivileged && plan.standardInput == .empty && plan.cgroupDirectory == nil
            && plan.legacyCgroupDirectories.isEmpty
    }

    /// How many operations every sandbox of the lane has behind it.
    var preparedCount: Int { worker.preparedCount }

    /// What is in every sandbox's staging area.
    var stagedMounts: [SandboxPlan.Mount] { template.stagedMounts }

    /// A sandbox that is ready or on its way.
    ///
    /// - Throws: `SandboxError` when none can be begun.
    func take() throws(SandboxError) -> PreparedSandbox { try worker.take() }
}

/// The thread of a lane and what it has to do.
private final class LaneWorker: Sendable {
    // Many processes carry it out, nobody changes it.
    nonisolated(unsafe) private let preparation: Result<LoweredPlan, SandboxError>
    let preparedCount: Int
    /// What the steps may have at most.
    private let capabilities: CapabilitySet
    private let hasMore: @Sendable () -> Bool
    private let state = Mutex(State())
    /// Counts what is in `State.queue`, and one more when the thread is to end.
    private let work = Semaphore()

    private struct State {
        /// For the next step.
        var ready: PreparedSandbox?
        /// To be started.
        var queue: [PreparedSandbox] = []
        var hasThread = false
        var isClosed = false
    }

    init(
        preparation: Result<LoweredPlan, SandboxError>,
        capabilities: CapabilitySet,
        hasMore: @escaping @Sendable () -> Bool
    ) {
        self.preparation = preparation
        self.capabilities = capabilities
        preparedCount = (try? preparation.get())?.operationCount ?? 0
        self.hasMore = hasMore
    }

    func prepare() {
        // What cannot be prepared is tried again with the step, which tells why it fails.
        _ = try? state.withLock { state throws(SandboxError) in
            guard !state.isClosed else { return }
            _ = try begin(&state)
        }
    }

    func take() throws(SandboxError) -> PreparedSandbox {
        try state.withLock { state throws(SandboxError) in
            let sandbox = try begin(&state)
            state.ready = nil
            return sandbox
        }
    }

    private func begin(_ state: inout State) throws(SandboxError) -> PreparedSandbox {
        if let ready = state.ready { return ready }
        let sandbox = try PreparedSandbox(preparation.get())
        guard state.hasThread || DetachedThread.start({ [self] in run() }) == 0 else {
            throw SandboxError(.clone, code: EAGAIN)
        }
        state.hasThread = true
        state.ready = sandbox
        state.queue.append(sandbox)
        work.signal()
        return sandbox
    }

    func close() {
        let ready = state.withLock { state in
            state.isClosed = true
            return state.ready.take()
        }
        ready?.abandon()
        work.signal()
    }

    /// The lane's thread: it starts one sandbox after the other.
    private func run() {
        // A thread's bounding set is its own, and its children have it: they give nothing of this up one by one. Where it
        // cannot be made smaller, they try themselves, and say so.
        _ = swb_bound_capabilities(capabilities.rawValue)
        while true {
            work.wait()
            guard let sandbox = state.withLock({ $0.queue.isEmpty ? nil : $0.queue.removeFirst() }) else { return }
            sandbox.start()
            if hasMore() { prepare() }
        }
    }
}
