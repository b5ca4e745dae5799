import Glibc
import LayerDiff
import OCI
import Registry
import Store
import Synchronization

/// Sends images of the store to registries.
public struct ImagePusher: Sendable {
    /// What a push came to.
    public struct Summary: Sendable, Hashable {
        /// How many blobs were sent.
        public var uploaded = 0
        /// How many the registry took from another of its repositories.
        public var mounted = 0
        /// How many it had.
        public var present = 0
        /// The bytes that were sent.
        public var bytes: Int64 = 0

        /// One line for the reader.
        public func text(for name: ImageReference, _ digest: Digest) -> String {
            var parts = [uploaded == 0 ? "nothing new" : "\(uploaded) new, \(ByteCount.text(bytes))"]
            if mounted > 0 { parts.append("\(mounted) taken from another repository") }
            if present > 0 { parts.append("\(present) there already") }
            return "pushed \(name.tagged.familiar)@\(digest): \(parts.joined(separator: ", "))"
        }
    }

    private let store: Store
    private let registries: Registries
    /// How many blobs are on their way at the same time.
    private static let most = 4

    /// A pusher of images of `store`.
    public init(store: Store, registries: Registries) {
        self.store = store
        self.registries = registries
    }

    /// Sends an image, or an index and the images that it names, and gives it its name there; `show` is told how far it
    /// is, often.
    /// - Throws: ``IncompleteImage``, `RegistryError`, ``BlobError``, ``DocumentError``.
    public func push(
        _ top: Descriptor,
        to reference: ImageReference,
        show: @escaping @Sendable (String) -> Void
    ) throws -> Summary {
        let name = reference.tagged
        let client = try registries.client()
        let tree = try ImageTree(top, in: store.images)
        // What the registry has already need not be here: an index may be of images that other machines have sent.
        for missing in tree.missing where try !client.hasManifest(missing.digest, in: name) {
            throw IncompleteImage(name: name.familiar, digest: missing.digest)
        }
        let summary = try push(Self.blobs(of: tree), to: name, client, show)
        for document in tree.images.map(\.descriptor) + tree.indexes where document.digest != top.digest {
            guard try !client.hasManifest(document.digest, in: name) else { continue }
            try put(document, at: name.naming(document.digest), client)
        }
        try put(top, at: name, client)
        return summary
    }

    private func put(_ document: Descriptor, at name: ImageReference, _ client: RegistryClient) throws {
        _ = try client.pushManifest(store.images.document(document), mediaType: document.mediaType, to: name)
    }

    /// The blobs that are sent: each once, without those that may not be given away.
    private static func blobs(of tree: ImageTree) -> [Descriptor] {
        var seen: Set<Digest> = []
        return tree.images.flatMap { $0.manifest.layers + [$0.manifest.config] }
            .filter { !$0.isForeign && seen.insert($0.digest).inserted }
    }

    private func push(
        _ blobs: [Descriptor],
        to name: ImageReference,
        _ client: RegistryClient,
        _ show: @escaping @Sendable (String) -> Void
    ) throws -> Summary {
        for blob in blobs where !store.images.hasBlob(blob) {
            throw IncompleteImage(name: name.familiar, digest: blob.digest)
        }
        let total = blobs.reduce(0) { $0 + $1.size }
        let progress = TransferProgress("pushing \(name.familiar)", total: total, show: show)
        let summary = Mutex(Summary())
        _ = try inParallel(blobs.count, threads: Self.most, batch: 1) { position in
            let blob = blobs[position]
            let outcome = try push(blob, to: name, client, progress)
            summary.withLock { summary in
                switch outcome {
                case .alreadyThere: summary.present += 1
                case .mounted: summary.mounted += 1
                case .uploaded:
                    summary.uploaded += 1
                    summary.bytes += blob.size
                }
            }
        }
        return summary.withLock { $0 }
    }

    private func push(
        _ blob: Descriptor,
        to name: ImageReference,
        _ client: RegistryClient,
        _ progress: TransferProgress
    ) throws -> BlobPushOutcome {
        let sources = try store.repositories(with: blob.digest)
            .compactMap { try? ImageReference(parsing: $0) }
            .filter { $0.registry == name.registry && $0.repository != name.repository }
        try store.verify([blob])
        let file = try store.openBlob(blob.digest)
        let sent = Mutex<Int64>(0)
        let outcome = try withExtendedLifetime(file) {
            try client.push(blob, from: file.raw, to: name, mountableFrom: sources) { count in
                progress.add(
                    sent.withLock { sent in
                        defer { sent = count }
                        return count - sent
                    }
                )
            }
        }
        if outcome != .uploaded { progress.add(blob.size) }
        try store.note([blob.digest], in: name.repositoryName)
        return outcome
    }
}

extension Descriptor {
    /// Whether this is a layer that only its own URLs give away (image-spec 1.1, layer.md, "Non-Distributable Layers").
    var isForeign: Bool {
        let types = [
            "application/vnd.oci.image.layer.nondistributable.v1.tar",
            "application/vnd.docker.image.rootfs.foreign.diff.tar",
        ]
        return types.contains { mediaType.rawValue.hasPrefix($0) } && others["urls"]?.strings?.isEmpty == false
    }
}
