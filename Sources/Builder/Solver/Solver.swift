import BuildFileParser
import Exec
import Glibc
import LayerDiff
import Logging
import OCI
import Store
import Synchronization

/// Carries out a graph: runs the scheduler's steps, each on a thread, and finishes their layers beside them.
struct Solver {
    let graph: BuildGraph
    let environment: StepEnvironment

    /// What every needed step came to.
    func solve(target: NodeID, jobs: Int) async throws -> [NodeID: StepState] {
        let trace = environment.trace
        let began = trace.start()
        // When steps could have begun: for how long they waited then.
        var ends: [NodeID: Moment] = [:]
        var lastEnd = began
        var scheduler = Scheduler(inputs: graph.nodes.map(\.inputs), target: target, jobs: jobs)
        var failure: (any Error)?
        var states: [NodeID: StepState] = [:]
        await withTaskGroup(of: Event.self) { group in
            while true {
                // What the cache has makes others ready at once, without a thread and a way there and back.
                var isMore = true
                while isMore {
                    isMore = false
                    for node in scheduler.next() {
                        let inputs = states
                        let ready = graph.nodes[node.index].inputs.compactMap { ends[$0] }.max() ?? began
                        if let state = atHand(node, inputs, ready: ready) {
                            states[node] = state
                            lastEnd = trace.start()
                            ends[node] = lastEnd
                            scheduler.finished(node)
                            isMore = true
                        } else {
                            group.addTask { await run(node, inputs, ready: ready) }
                        }
                    }
                }
                guard let event = await group.next() else { break }
                switch event {
                case .done(let node, let state, let finishing):
                    states[node] = state
                    lastEnd = trace.start()
                    ends[node] = lastEnd
                    scheduler.finished(node)
                    if let finishing {
                        group.addTask { await finish(node, finishing) }
                    }
                case .failed(let node, let error):
                    lastEnd = trace.start()
                    scheduler.failed(node)
                    failure = failure ?? error
                    environment.cancellation.cancel()
                case .layerFinished(let error):
                    if let error {
                        failure = failure ?? error
                        environment.cancellation.cancel()
                    }
                }
            }
        }
        trace.end(.steps, since: began, at: lastEnd)
        trace.end(.lastLayers, since: lastEnd)
        if let failure { throw failure }
        return states
    }

    private enum Event: Sendable {
        case done(NodeID, StepState, FinishingLayer?)
        case failed(NodeID, any Error)
        case layerFinished((any Error)?)
    }

    /// What a step comes to where that takes no time, told like any other step.
    private func atHand(_ id: NodeID, _ states: [NodeID: StepState], ready: Moment) -> StepState? {
        let node = graph.nodes[id.index]
        // An empty base is nothing that anybody waits for.
        if node.operation == .scratch { return .base([]) }
        let trace = environment.trace
        let began = trace.start()
        let runner = StepRunner(id: id, node: node, graph: graph, states: states, environment: environment)
        guard let state = runner.resultAtHand() else { return nil }
        if case .run = node.operation { environment.networks.beginStep() }
        trace.end(.queue, step: id.index, since: ready, at: began)
        trace.endStep(id.index, since: began, .cached)
        environment.progress.emit(.started(step: id.index, name: node.display.name))
        environment.progress.emit(.finished(step: id.index, cached: true, seconds: 0, usage: nil))
        return state
    }

    private func run(_ id: NodeID, _ states: [NodeID: StepState], ready: Moment) async -> Event {
        let node = graph.nodes[id.index]
        environment.progress.emit(.started(step: id.index, name: node.display.name))
        let trace = environment.trace
        let began = trace.start()
        trace.end(.queue, step: id.index, since: ready, at: began)
        do {
            let runner = StepRunner(id: id, node: node, graph: graph, states: states, environment: environment)
            let result = try await onThread { try runner.run() }
            trace.endStep(id.index, since: began, result.state.isCached ? .cached : .done)
            environment.progress.emit(
                .finished(
                    step: id.index,
                    cached: result.state.isCached,
                    seconds: result.state.seconds,
                    usage: result.state.usage
                )
            )
            return .done(id, result.state, result.finishing)
        } catch let error as BuildError {
            trace.endStep(id.index, since: began, .failed)
            environment.progress.emit(.failed(step: id.index, message: "failed"))
            return .failed(id, error)
        } catch {
            trace.endStep(id.index, since: began, .failed)
            environment.progress.emit(.failed(step: id.index, message: "\(error)"))
            // What an interrupt breaks off, a download say, fails in its own way.
            let isInterrupted = environment.cancellation.isCancelled
            return .failed(id, isInterrupted ? BuildError.cancelled : BuildError.step(node.display, error))
        }
    }

    private func finish(_ id: NodeID, _ layer: FinishingLayer) async -> Event {
        do {
            try await onThread { try layer.finish(environment, step: id.index) }
            return .layerFinished(nil)
        } catch {
            return .layerFinished(BuildError.step(graph.nodes[id.index].display, error))
        }
    }
}

/// What all steps of a build share.
final class StepEnvironment: Sendable {
    let store: Store
    let work: WorkDirectory
    let cancellation: Cancellation
    let progress: any ProgressSink
    let logger: Logger
    let secrets: [String: [UInt8]]
    let agents: SSHAgents
    let platform: Platform
    let sandbox: SandboxOptions
    /// The system call filter of steps that are not insecure.
    let filter: SeccompPolicy
    /// Where the steps' cgroups are made; `nil` where nothing asks for them.
    let cgroups: CgroupParent?
    let logs: LogDirectory
    let inFlight = LayersInFlight()
    let contexts: [ContextTree]
    let checks: CheckOptions
    let remotes: RemoteSources
    let puller: ImagePuller
    let sources: UsedSources
    let stubs: MountPointStubs
    let deviceLayers = DeviceLayers()
    let ownedLinks = OwnedLinks()
    let compromises = CompromiseNotes()
    let leaks: LeakCheck
    let networks: StepNetworks
    let places: StepPlaces
    let filters = StepFilters()
    private let isFilterBegun = Atomic<Bool>(false)
    let callFilters = CallFilters()
    let trace: Trace
    let privilege: Privilege

    init(store: Store, work: WorkDirectory, parts: Parts) {
        self.store = store
        self.work = work
        cancellation = parts.cancellation
        progress = parts.progress
        logger = parts.logger
        secrets = parts.secrets
        agents = parts.agents
        platform = parts.platform
        sandbox = parts.sandbox
        filter = parts.filter
        cgroups = parts.cgroups
        logs = parts.logs
        contexts = parts.contexts
        checks = parts.checks
        remotes = parts.remotes
        puller = parts.puller
        sources = parts.sources
        leaks = parts.leaks
        trace = parts.trace
        privilege = parts.privilege
        stubs = MountPointStubs(form: store.form)
        let places = StepPlaces(work: work)
        self.places = places
        networks = StepNetworks(
            steps: parts.commandCount,
            prepare: { places.prepare() },
            helpers: parts.networkHelpers,
            cancellation: parts.cancellation
        )
    }

    /// Sets about the filter that the first command needs, while the steps before it are carried out.
    func beginFilter() {
        guard sandbox.runtime == nil, networks.hasMore else { return }
        guard !isFilterBegun.exchange(true, ordering: .relaxed) else { return }
        var plan = SandboxPlan(
            root: SandboxPlan.Overlay(lowerDirectories: [], upperDirectory: "", workDirectory: ""),
            arguments: ["-"]
        )
        plan.seccompDirectory = store.seccompDirectory
        sandbox.apply(to: &plan, isInsecure: false, filter: filter)
        filters.begin(plan)
    }

    /// The time of directories and files that a step makes itself.
    ///
    /// Whatever SOURCE_DATE_EPOCH says: layers are kept with their true times, and rewritten for the output.
    var now: Int64 { Int64(time(nil)) }

    /// The parts that come from the request.
    struct Parts {
        var cancellation: Cancellation
        var progress: any ProgressSink
        var logger: Logger
        var secrets: [String: [UInt8]]
        var agents: SSHAgents
        var platform: Platform
        var sandbox: SandboxOptions
        var filter: SeccompPolicy
        var cgroups: CgroupParent?
        var logs: LogDirectory
        var contexts: [ContextTree]
        var checks: CheckOptions
        var remotes: RemoteSources
        var puller: ImagePuller
        var sources: UsedSources
        var leaks: LeakCheck
        var trace: Trace
        var privilege: Privilege
        var networkHelpers: [NetworkHelper]
        /// How many steps run a command, if none of them is found in the cache.
        var commandCount: Int
    }
}

/// A layer whose blob is still being compressed, with the record to keep when it is there.
final class FinishingLayer: Sendable {
    private let pending: PendingLayer
    /// Kept open until the blob is complete.
    private let blob: BlobFile
    private let record: StepRecord
    private let lock: StepLock
    /// A directory that the step needed and nobody else does.
    private let scratch: String?

    init(
        pending: PendingLayer,
        blob: BlobFile,
        record: StepRecord,
        lock: StepLock,
        scratch: String?
    ) {
        self.pending = pending
        self.blob = blob
        self.record = record
        self.lock = lock
        self.scratch = scratch
    }

    /// Waits for the blob, puts it in place, and keeps the layer's and the step's records.
    func finish(_ environment: StepEnvironment, step: Int) throws {
        defer {
            environment.inFlight.end(pending.diffID)
            lock.release()
            if let scratch { removeTree(scratch) }
        }
        let trace = environment.trace
        let blob = try trace.span(.compressing, step: step) { () throws(LayerError) in try pending.finish() }
        try trace.span(.keeping, step: step) { try environment.store.keep(pending.index, of: pending.diffID) }
        try trace.span(.recording, step: step) { try keepRecords(of: blob, environment) }
    }

    private func keepRecords(of blob: LayerBlob, _ environment: StepEnvironment) throws {
        try environment.store.publishBlob(self.blob.path, as: blob.digest)
        // Without them a later layer costs more time, no more than that.
        if let pieces = try pending.pieces() { try? environment.store.keep(pieces, of: blob) }
        let layer = LayerRecord(
            diffID: blob.diffID,
            digest: blob.digest,
            size: blob.size,
            compression: blob.compression
        )
        try environment.store.insert(record, layer: layer, tree: pending.index.treeDigest())
    }
}

/// A step's lock in a box, so that whoever finishes the step's layer can let go of it.
final class StepLock: Sendable {
    private let lock: Mutex<FileLock?>

    init(_ lock: FileLock) { self.lock = Mutex(lock) }

    func release() { lock.withLock { $0 = nil } }
}
