import BuildFileParser
import Exec
import LayerDiff
import OCI
import Store

extension StepRunner {
    /// The step's outcome where the cache has it and where that is found without waiting for anything.
    ///
    /// What looks at files, asks a server, or searches a layer takes the long way, which finds the same.
    func resultAtHand() -> StepState? {
        guard !environment.cancellation.isCancelled else { return nil }
        // A failure is the long way's to report.
        return try? lookAtHand()
    }

    private func lookAtHand() throws -> StepState? {
        if case .image(let index) = node.operation { return try imageAtHand(graph.images[index]) }
        guard !node.display.ignoresCache, environment.leaks.search == nil else { return nil }
        switch node.operation {
        case .scratch, .image: return nil
        case .makeDirectory(let step):
            let base = try state(of: step.base)
            return try lookUp(directoryKey(step, on: base), base)?.state
        case .run(let step):
            guard !step.mounts.contains(where: \.isBind) else { return nil }
            let base = try state(of: step.base)
            return try lookUp(span(.key) { try runKey(step, on: base) }, base)?.state
        case .copy(let step):
            guard let name = try selectionNameAtHand(step), let content = try store.selectionDigest(name) else {
                return nil
            }
            let base = try state(of: step.base)
            return try lookUp(copyKey(step, on: base, SelectionDigest(digest: content)), base)?.state
        }
    }

    private func imageAtHand(_ image: ResolvedImage) throws -> StepState? {
        for diffID in image.config.diffIDs where try store.layer(diffID) == nil { return nil }
        return .base(image.config.diffIDs)
    }

    /// The name of what a step takes from a stage.
    private func selectionNameAtHand(_ step: CopyStep) throws -> Digest? {
        let isLocal = step.sources.allSatisfy { source in
            switch source {
            case .path, .inline: true
            case .url, .git: false
            }
        }
        guard isLocal, let origin = try origin(of: step, FetchedSources()) else { return nil }
        return selectionName(of: step, from: origin)
    }
}

extension MountSpec {
    /// Whether it shows files that are a part of the step's key.
    var isBind: Bool { if case .bind = kind { true } else { false } }
}
