import OCI
import Store

extension StepRunner {
    /// Fewer bytes are hashed faster than a thread starts.
    private static let smallBlobs: Int64 = 1 << 20

    /// Sees to it that a base image's layers are in the store.
    func useImage(_ image: ResolvedImage) throws -> StepState {
        let start = Clock.now()
        var state = StepState.base(image.config.diffIDs)
        let isComplete = try image.config.diffIDs.allSatisfy { try store.layer($0) != nil }
        if let origin = image.origin {
            let found = ImagePuller.Found(image: image, origin: origin)
            try span(.importing, detail: origin.reference.description) { try bring(found, isComplete: isComplete) }
        } else {
            let missing = try zip(image.manifest.layers, image.config.diffIDs).filter { try store.layer($1) == nil }
            let bytes = missing.reduce(0) { $0 + $1.0.size }
            _ = try inParallel(missing.count, threads: bytes > Self.smallBlobs ? 2 : 1, batch: 1) { number in
                let (layer, diffID) = missing[number]
                return try span(.importing, detail: layer.digest.description) {
                    try store.importLayer(layer, diffID: diffID, from: image.layout)
                }
            }
        }
        state.isCached = isComplete
        if !isComplete { state.seconds = Clock.now() - start }
        return state
    }

    private func bring(_ found: ImagePuller.Found, isComplete: Bool) throws {
        var options = ImagePuller.Options()
        let (progress, step) = (environment.progress, id.index)
        options.unpacks = graph.readsFiles(of: id)
        options.show = { progress.emit(.status(step: step, text: $0)) }
        let brought = try environment.puller.bringLayers(of: found, options)
        guard !isComplete else { return }
        let name = found.origin.reference
        let count = brought.layers == 1 ? "one layer" : "\(brought.layers) layers"
        progress.emit(.output(step: step, line: "pulled \(name): \(ByteCount.text(brought.bytes)) in \(count)"))
    }
}

extension BuildGraph {
    /// Whether steps look at the files of a base image, so that it has to be unpacked.
    func readsFiles(of image: NodeID) -> Bool {
        var above: Set<NodeID> = [image]
        for (index, node) in nodes.enumerated() {
            switch node.operation {
            case .scratch, .image: continue
            case .run(let step):
                let sources = step.mounts.compactMap(\.source)
                guard !above.contains(step.base), !sources.contains(where: above.contains) else { return true }
            case .copy(let step):
                if case .node(let source) = step.from, above.contains(source) { return true }
                if above.contains(step.base) { above.insert(NodeID(index: index)) }
            case .makeDirectory(let step):
                if above.contains(step.base) { above.insert(NodeID(index: index)) }
            }
        }
        return false
    }
}

extension MountSpec {
    /// The step whose files are mounted.
    fileprivate var source: NodeID? {
        switch kind {
        case .bind(.node(let node), _, _): node
        case .cache(let cache): if case .node(let node) = cache.source { node } else { nil }
        case .bind, .tmpfs, .secret, .ssh: nil
        }
    }
}
