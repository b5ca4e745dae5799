import OCI

/// A step as the metadata file lists it.
public struct StepSummary: Sendable {
    /// How the step is shown.
    public var display: StepDisplay
    /// Whether its layer came from the cache.
    public var isCached: Bool
    /// How long it took; 0 where it was cached.
    public var seconds: Double
    /// What its command used; `nil` where none ran.
    public var usage: StepUsage?
}

/// What a build gives back.
public struct BuildResult: Sendable {
    /// The image as it is in the store.
    public var image: BuiltImage
    /// The names that it was given.
    public var tags: [ImageReference]
    /// The steps that were needed, in the order of the graph.
    public var steps: [StepSummary]
    /// What it took from elsewhere, for `--lock`.
    public var sources: SourceLock
}

extension BuildResult {
    /// The document for `--metadata-file`.
    public var metadata: JSONValue {
        var members: [String: JSONValue] = [
            "containerimage.digest": .string(image.descriptor.digest.description),
            "containerimage.config.digest": .string(image.manifest.config.digest.description),
            "containerimage.descriptor": image.descriptor.json,
            "swbuild.steps": .array(steps.map(\.json)),
        ]
        if !tags.isEmpty {
            members["image.name"] = .string(tags.map { $0.tagged.description }.joined(separator: ","))
        }
        return .object(members)
    }
}

extension StepSummary {
    var json: JSONValue {
        let members: [String: JSONValue] = [
            "name": .string(display.name), "instruction": .string(display.instruction),
            "stage": .string(display.stage), "cached": .bool(isCached),
            "seconds": .number((seconds * 1000).rounded() / 1000),
        ]
        return .object(members.merging(usage?.json ?? [:]) { first, _ in first })
    }
}
