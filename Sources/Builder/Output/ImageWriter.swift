import LayerDiff
import OCI
import Store

/// An image that a build wrote into the store.
public struct BuiltImage: Sendable {
    /// The manifest's descriptor, with its platform.
    public var descriptor: Descriptor
    /// The manifest as written.
    public var manifest: ImageManifest
    /// The configuration as written.
    public var config: ImageConfig
    /// The layers as the store has them: what was built, whatever the output's form.
    public var chain: [DiffID]
}

/// Makes configuration and manifest of a target, and writes them as blobs of the store's layout.
struct ImageWriter {
    let store: Store
    let work: WorkDirectory
    let states: [NodeID: StepState]
    /// Fixes all times; `nil` where nobody asked for that.
    let epoch: Int64?
    let compression: BlobCompression

    func write(_ result: StageResult, annotations: [(name: String, value: String)]) throws -> BuiltImage {
        guard let state = states[result.node] else { throw StepOrderError(node: result.node) }
        let inheritedCount = result.config.diffIDs.count
        var config = result.config
        var layers: [Descriptor] = []
        var diffIDs: [DiffID] = []
        for (position, diffID) in state.chain.enumerated() {
            let record = try layer(diffID, isInherited: position < inheritedCount)
            layers.append(record.descriptor)
            diffIDs.append(record.diffID)
        }
        config.diffIDs = diffIDs
        let (history, created) = history(of: result)
        config.history = history
        if let created { config.created = created }
        let configDescriptor = try store.images.write(config.json.encoded(), as: .config)
        var manifest = ImageManifest(config: configDescriptor, layers: layers)
        if let created { manifest.annotations["org.opencontainers.image.created"] = created }
        for annotation in annotations { manifest.annotations[annotation.name] = annotation.value }
        var descriptor = try store.images.write(manifest.json.encoded(), as: .manifest)
        descriptor.platform = config.platform
        if let created { descriptor.annotations["org.opencontainers.image.created"] = created }
        return BuiltImage(descriptor: descriptor, manifest: manifest, config: config, chain: state.chain)
    }

    /// Base layers stay as they are; what the build made takes the form that was asked for.
    private func layer(_ diffID: DiffID, isInherited: Bool) throws -> LayerRecord {
        guard !isInherited else {
            // What the image says of its layers goes into one of ours: it has to be so.
            try store.confirmLayer(diffID)
            guard let record = try store.layer(diffID) else { throw StoreError.missingLayer(diffID) }
            return record
        }
        return try store.variant(
            LayerVariant(source: diffID, compression: compression, latestModification: epoch),
            work: work
        )
    }

    /// The lines of the history, and when the last of them came about.
    ///
    /// A line without a layer has the time of the layer before it, so that building again changes nothing.
    private func history(of result: StageResult) -> ([HistoryEntry], created: String?) {
        var time: String? = result.config.created
        if time == nil {
            for case .layer(let node, _) in result.history {
                time = self.time(of: node)
                break
            }
        }
        var entries: [HistoryEntry] = []
        for item in result.history {
            switch item {
            case .inherited(let entry): entries.append(entry)
            case .metadata(let text, _): entries.append(entry(text, created: epochText ?? time, isEmpty: true))
            case .layer(let node, let text):
                time = self.time(of: node) ?? time
                entries.append(entry(text, created: time, isEmpty: false))
            }
        }
        let hasOwn = result.history.contains { if case .inherited = $0 { false } else { true } }
        return (entries, hasOwn ? epochText ?? time : epochText ?? result.config.created)
    }

    private func entry(_ text: String, created: String?, isEmpty: Bool) -> HistoryEntry {
        HistoryEntry(created: created, createdBy: "\(text) # swbuild", comment: nil, isEmptyLayer: isEmpty)
    }

    private var epochText: String? { epoch.map { CreationTime(seconds: $0).description } }

    private func time(of node: NodeID) -> String? {
        epochText ?? states[node]?.created.map { CreationTime(seconds: $0).description }
    }
}
