import BuildFileParser
import Exec
import Glibc
import LayerDiff
import Logging
import OCI
import Store

/// Carries out one step: finds it in the cache, or does it and keeps what came of it.
struct StepRunner: Sendable {
    let id: NodeID
    let node: Node
    let graph: BuildGraph
    let states: [NodeID: StepState]
    let environment: StepEnvironment

    /// A step's state, and its layer where that is still being compressed.
    struct Outcome: Sendable {
        var state: StepState
        var finishing: FinishingLayer?
    }

    var store: Store { environment.store }

    /// Does a part of the step, and notes in the trace how long it took.
    func span<Value, Failure: Error>(
        _ work: Span.Work,
        detail: @autoclosure () -> String? = nil,
        _ body: () throws(Failure) -> Value
    ) throws(Failure) -> Value {
        try environment.trace.span(work, step: id.index, detail: detail(), body)
    }

    /// Waits until the blobs of these layers are there.
    func waitForLayers(_ chain: [DiffID]) {
        span(.layersBelow) { environment.inFlight.wait(for: chain) }
    }

    func run() throws -> Outcome {
        guard !environment.cancellation.isCancelled else { throw BuildError.cancelled }
        switch node.operation {
        case .scratch: return Outcome(state: .base([]))
        case .image(let index): return Outcome(state: try useImage(graph.images[index]))
        case .makeDirectory(let step): return try makeDirectory(step)
        case .copy(let step): return try copy(step)
        case .run(let step): return try runCommand(step)
        }
    }

    func state(of node: NodeID) throws -> StepState {
        guard let state = states[node] else { throw StepOrderError(node: node) }
        return state
    }

    // MARK: The cache

    /// What a step is in the cache, and what to keep with its record.
    struct Key {
        var identity: StepIdentity
        var fields: StepFields
    }

    /// The entries of the layer that a step leaves, and the directory that already holds them unpacked.
    struct Produced {
        var entries: LayerEntries
        /// An upper directory that can serve as the unpacked layer.
        var upper: String?
        /// Whether another key means another layer: what a COPY leaves is all in its key.
        var isGivenByKey = false
        /// A directory that is not needed any more.
        var scratch: String?
        /// A file for the layer's blob, where one is there already.
        var blob: BlobFile?
        /// What the command used that made them.
        var usage: StepUsage?
    }

    /// Takes a step's layer from the cache, or makes it.
    ///
    /// Of several who want it at once, one makes it.
    func cached(
        _ key: Key,
        on base: StepState,
        ignoresCache: Bool = false,
        make: () throws -> Produced
    ) throws -> Outcome {
        let ignores = ignoresCache || node.display.ignoresCache
        let logger = environment.logger
        logger.debug(
            "\(node.display.name): key \(key.identity.key), parent \(key.identity.parent?.description ?? "none")"
        )
        if !ignores, let hit = try lookUp(key, base) { return hit }
        let name = "step \(key.identity.key) \(key.identity.parent?.description ?? "-")"
        let lock = StepLock(try span(.lock) { try store.lock(name) })
        var isHandedOn = false
        defer { if !isHandedOn { lock.release() } }
        if !ignores, let hit = try lookUp(key, base) { return hit }
        environment.beginFilter()
        let document = key.fields.document()
        let fields = StepFields.encoded(document)
        let earlier = try store.records(ofDefinition: key.identity.definition, limit: 8)
        if !ignores { explainMiss(key.identity, document, earlier) }
        let began = Int64(time(nil))
        let start = Clock.now()
        let produced = try make()
        let seconds = Clock.now() - start
        let run = RunWindow(began: began, seconds: seconds)
        let same = try span(.comparing) {
            try earlierLayer(like: produced, run, key.identity, earlier)
        }
        if let same {
            try span(.leaks) { try environment.leaks.check(kept: same.diffID, of: node.display, in: store) }
            logger.debug("\(node.display.name): left the same tree as before, \(same.diffID)")
            for directory in [produced.upper, produced.scratch] { directory.map(removeTree) }
            let record = StepRecord(
                identity: key.identity,
                diffID: same.diffID,
                created: same.created,
                seconds: same.seconds,
                fields: fields
            )
            try store.insert(record)
            var state = base.appending(same.diffID, created: same.created, isCached: false, seconds: seconds)
            state.usage = produced.usage
            return Outcome(state: state)
        }
        let step = KeptStep(
            identity: key.identity,
            fields: fields,
            run: run,
            earlier: earlier.lazy.compactMap(\.diffID).first
        )
        let written = try write(produced, LayerOptions(earlier: step.earlier.flatMap(store.pieces)))
        var outcome = try keep(written, produced, step, on: base, lock)
        isHandedOn = outcome.finishing != nil
        outcome.state.usage = produced.usage
        return outcome
    }

    func lookUp(_ key: Key, _ base: StepState) throws -> Outcome? {
        guard let hit = try span(.lookUp, { try store.hit(key.identity) }) else { return nil }
        try span(.leaks) { try environment.leaks.check(kept: hit.diffID, of: node.display, in: store) }
        return Outcome(state: base.appending(hit.diffID, created: hit.created, isCached: true, seconds: 0))
    }

    private func explainMiss(_ identity: StepIdentity, _ fields: JSONValue, _ earlier: [StepRecord]) {
        let closest = Array(earlier.prefix(4))
        guard let reason = MissReason.explain(identity, fields: fields, earlier: closest) else { return }
        environment.progress.emit(.missed(step: id.index, reason: reason))
    }

    /// Output cut-off: a layer that the same instruction left before, with the same tree.
    ///
    /// Times may differ where each is that of its run; a time that a step has set on purpose counts like a content.
    private func earlierLayer(
        like produced: Produced,
        _ run: RunWindow,
        _ identity: StepIdentity,
        _ earlier: [StepRecord]
    ) throws -> (diffID: DiffID, created: Int64, seconds: Double)? {
        // To find that a changed file differs, all before it would be read from each of these layers.
        let records = produced.isGivenByKey ? earlier.filter { $0.identity.key == identity.key } : earlier
        guard !records.isEmpty else { return nil }
        let index = LayerIndex(produced.entries.map(\.entry))
        let tree = index.treeDigest()
        var seen: [DiffID] = []
        for record in records {
            guard let diffID = record.diffID, !seen.contains(diffID) else { continue }
            seen.append(diffID)
            guard try store.treeDigest(of: diffID) == tree, try store.layer(diffID) != nil else { continue }
            let before = RunWindow(began: record.created, seconds: record.seconds)
            guard Self.haveSameTimes(index, run, try store.index(of: diffID), before) else { continue }
            let blob = try store.openBlob(of: diffID)
            let isSame = try blob.withDescriptor { try LayerReader.hasSameContent(Array(produced.entries), asBlob: $0) }
            if isSame { return (diffID, record.created, record.seconds) }
        }
        return nil
    }

    private static func haveSameTimes(
        _ left: LayerIndex,
        _ leftRun: RunWindow,
        _ right: LayerIndex,
        _ rightRun: RunWindow
    ) -> Bool {
        left.entries.count == right.entries.count
            && zip(left.entries, right.entries).allSatisfy { left, right in
                left.modified == right.modified
                    || leftRun.contains(left.modified) && rightRun.contains(right.modified)
            }
    }

    /// What a record says of a step beside its layer.
    struct KeptStep {
        var identity: StepIdentity
        var fields: [UInt8]
        var run: RunWindow
        /// The layer that the same instruction left last: much of the new one may be the same.
        var earlier: DiffID?
    }

    /// A layer whose tar is complete, and the file that its blob goes to.
    struct WrittenLayer {
        var pending: PendingLayer
        var blob: BlobFile
    }

    func write(_ produced: Produced, _ options: LayerOptions) throws -> WrittenLayer {
        let blob = try produced.blob ?? BlobFile(in: environment.work)
        let pending = try span(.writing) {
            try LayerWriter.begin(
                produced.entries,
                blob: blob.file.fileDescriptor,
                options: options,
                search: environment.leaks.search
            )
        }
        do {
            try environment.leaks.check(pending.match, of: node.display)
        } catch {
            _ = try? pending.finish()
            throw error
        }
        return WrittenLayer(pending: pending, blob: blob)
    }

    func keep(
        _ written: WrittenLayer,
        _ produced: Produced,
        _ step: KeptStep,
        on base: StepState,
        _ lock: StepLock
    ) throws -> Outcome {
        let pending = written.pending
        // Those that stand on it need its list at once; on the disk it has to be before the record.
        store.note(pending.index, of: pending.diffID)
        try span(.keeping) { try environment.leaks.remember(pending.diffID, in: store) }
        environment.inFlight.begin(pending.diffID)
        if let upper = produced.upper { try span(.keeping) { try store.adopt(upper, as: pending.diffID) } }
        environment.logger.debug("\(node.display.name): left \(pending.diffID), \(pending.uncompressedSize) bytes")
        let record = StepRecord(
            identity: step.identity,
            diffID: pending.diffID,
            created: step.run.began,
            seconds: step.run.seconds,
            fields: step.fields
        )
        let finishing = FinishingLayer(
            pending: pending,
            blob: written.blob,
            record: record,
            lock: lock,
            scratch: produced.scratch
        )
        return Outcome(
            state: base.appending(
                pending.diffID,
                created: step.run.began,
                isCached: false,
                seconds: step.run.seconds
            ),
            finishing: finishing
        )
    }

    // MARK: WORKDIR

    func directoryKey(_ step: MakeDirectoryStep, on base: StepState) -> Key {
        var fields = StepFields()
        fields.set("kind", "workdir")
        fields.set("path", step.path)
        let definition = fields.digest(domain: "definition")
        fields.set("user", step.user)
        return Key(
            identity: StepIdentity(key: fields.digest(domain: "step"), definition: definition, parent: base.chainID),
            fields: fields
        )
    }

    private func makeDirectory(_ step: MakeDirectoryStep) throws -> Outcome {
        let base = try state(of: step.base)
        return try cached(directoryKey(step, on: base), on: base) {
            waitForLayers(base.chain)
            let stack = try store.stack(base.chain)
            // Root is known without the base's files: nothing needs to be unpacked for its sake.
            let isRoot = step.user.isEmpty || step.user == "0" || step.user == "0:0"
            let owner = try at(node.display.places.user) {
                isRoot ? .root : try UserDatabase(in: stack).identity(step.user)
            }
            return try at(node.display.places.destination) {
                Produced(
                    entries: LayerEntries(
                        try DirectoryLayer.entries(step.path, in: stack, owner: owner, now: environment.now)
                    )
                )
            }
        }
    }
}

/// When a step ran, in wall-clock seconds since the epoch, with room for the clock's grain.
struct RunWindow {
    var began: Int64
    var seconds: Double

    /// Whether a file's time may come of the run itself.
    func contains(_ time: Int64) -> Bool {
        time >= began - 1 && time <= began + Int64(seconds.rounded(.up)) + 1
    }
}

/// A step was begun before what it needs was finished: a mistake of the scheduler's, not of the user's.
struct StepOrderError: Error, CustomStringConvertible {
    let node: NodeID

    var description: String { "step \(node.index) is not finished yet (please report this)" }
}

/// A monotonic clock in seconds.
enum Clock {
    static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// The layer of a WORKDIR: the directories that are missing, and those above them as they are.
enum DirectoryLayer {
    static func entries(
        _ path: String,
        in stack: LayerStack,
        owner: UserDatabase.Identity,
        now: Int64
    ) throws -> [LayerEntry] {
        let resolved = try stack.resolve(ContainerPath(path), followLast: true)
        var entries: [LayerEntry] = []
        var isNew = false
        var current = ContainerPath.root
        for component in resolved.components {
            current = current.appending(component)
            if !isNew, let found = stack.lookup(current) {
                guard found.entry.isDirectory else { throw CopyError.fileInTheWay(current) }
                var entry = found.entry
                entry.kind = .directory(opaque: false)
                entries.append(LayerEntry(entry: entry, content: .none))
                continue
            }
            isNew = true
            let entry = TreeEntry(
                path: current,
                kind: .directory(opaque: false),
                mode: 0o755,
                uid: owner.uid,
                gid: owner.gid,
                modified: now
            )
            entries.append(LayerEntry(entry: entry, content: .none))
        }
        // Nothing to make: an empty layer, without the directories that are there already.
        return isNew ? entries : []
    }
}
