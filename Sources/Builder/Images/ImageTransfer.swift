import OCI
import Registry
import Store

/// Images from registries and to them, one at a time: `swbuild pull` and `swbuild push`.
public struct ImageTransfer: Sendable {
    private let store: Store
    private let registries: Registries
    private let progress: any ProgressSink

    /// Transfers between `store` and `registries`, which tell `progress` how far they are.
    public init(store: Store, registries: Registries, progress: any ProgressSink) {
        self.store = store
        self.registries = registries
        self.progress = progress
    }

    /// Brings an image and all its blobs; of an index, those for one platform.
    /// - Returns: What the name stands for now, and the name itself: a short one may be an alias.
    /// - Throws: `RegistryError` and others that say why it could not be had.
    public func pull(
        _ reference: ImageReference,
        platform: Platform
    ) async throws -> (name: ImageReference, digest: Digest) {
        let (store, registries, progress) = (store, registries, progress)
        return try await onThread {
            let hold = try store.holdForBuild()
            defer { withExtendedLifetime(hold) {} }
            let puller = ImagePuller(store: store, registries: registries)
            let found = try puller.find(registries.client().unaliased(reference), platform: platform)
            var options = ImagePuller.Options()
            options.isComplete = true
            options.show = { progress.emit(.status(step: nil, text: $0)) }
            let brought = try puller.bringLayers(of: found, options)
            let count = brought.layers == 1 ? "one layer" : "\(brought.layers) layers"
            let what = brought.layers == 0 ? "nothing new" : "\(ByteCount.text(brought.bytes)) in \(count)"
            progress.emit(.note("pulled \(found.origin.reference.familiar): \(what)"))
            return (found.origin.reference, found.origin.top.digest)
        }
    }

    /// Sends what a name of the store stands for.
    /// - Returns: Its digest.
    /// - Throws: ``UnknownImage``, ``IncompleteImage``, `RegistryError` and others that say why it could not be sent.
    public func push(_ name: ImageReference) async throws -> Digest {
        let (store, registries, progress) = (store, registries, progress)
        return try await onThread {
            let hold = try store.holdForBuild()
            defer { withExtendedLifetime(hold) {} }
            let entry = try StoredImages(store: store).entry(name.tagged.familiar)
            let pusher = ImagePusher(store: store, registries: registries)
            let summary = try pusher.push(entry, to: name) { progress.emit(.status(step: nil, text: $0)) }
            progress.emit(.note(summary.text(for: name, entry.digest)))
            return entry.digest
        }
    }
}
