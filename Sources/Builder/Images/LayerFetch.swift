import LayerDiff
import OCI
import Registry
import Store
import Synchronization

/// Brings layers of one image here: several at a time, each read, and unpacked where that is wanted, while it comes.
final class LayerFetch: Sendable {
    /// A layer, and what it stands on.
    struct Layer: Sendable {
        var descriptor: Descriptor
        /// The layers up to this one, lowest first.
        var chain: [DiffID]
        /// Whether its blob itself is wanted, and not only its content, of which the store may have another blob.
        var needsBlob: Bool
    }

    /// What they are brought with.
    struct Tools: Sendable {
        var store: Store
        var client: RegistryClient
        var progress: TransferProgress
        var isCancelled: @Sendable () -> Bool
    }

    /// How many come at the same time.
    static let most = 4

    private let store: Store
    private let client: RegistryClient
    private let image: ImageReference
    private let layers: [Layer]
    private let unpacks: Bool
    private let progress: TransferProgress
    private let isCancelled: @Sendable () -> Bool
    private let finished: Milestones

    init(
        _ layers: [Layer],
        of image: ImageReference,
        unpacking: Bool,
        with tools: Tools
    ) {
        self.layers = layers
        self.image = image
        unpacks = unpacking
        (store, client, progress, isCancelled) = (tools.store, tools.client, tools.progress, tools.isCancelled)
        finished = Milestones(count: layers.count)
    }

    /// Brings them all.
    /// - Throws: the first failure, when all that was under way has ended.
    func run() throws {
        _ = try inParallel(layers.count, threads: Self.most, batch: 1) { [self] position in
            var isGood = false
            defer { finished.reach(position, isGood: isGood) }
            try bring(layers[position], position)
            isGood = true
        }
    }

    /// Brings a layer, once more where what came first was wrong and may be right from elsewhere.
    private func bring(_ layer: Layer, _ position: Int) throws {
        while true {
            do {
                return try attempt(layer, position)
            } catch let wrong as WrongBlob {
                progress.add(-wrong.received)
                // What an earlier process has left is nobody's fault.
                guard wrong.hadBeginning || client.distrust(wrong.mirrors, for: "\(wrong.reason)") else {
                    throw wrong.reason
                }
            }
        }
    }

    private func attempt(_ layer: Layer, _ position: Int) throws {
        guard let diffID = layer.chain.last else { return }
        if !layer.needsBlob, try store.layer(diffID) != nil { return progress.add(layer.descriptor.size) }
        let incoming: IncomingBlob?
        do {
            incoming = try store.incomingBlob(layer.descriptor, isCancelled: isCancelled)
        } catch is CancellationError {
            throw BuildError.cancelled
        }
        guard let blob = incoming else {
            progress.add(layer.descriptor.size)
            return try store.admitLayer(layer.descriptor, as: diffID)
        }
        let below = unpacks ? lower(layer, position) : nil
        let (store, growing) = (store, blob.growing)
        let reading = BackgroundWork { try store.read(growing, unpackingAbove: below) }
        do {
            try fill(blob)
        } catch {
            growing.fail()
            _ = reading.result()
            throw error
        }
        switch reading.result() {
        case .success(let read): try admit(read, layer, position)
        case .failure(let error):
            try store.discard(layer.descriptor)
            throw BrokenLayer(image: image, digest: layer.descriptor.digest, reason: error)
        case nil: throw BrokenLayer(image: image, digest: layer.descriptor.digest, reason: ThreadError(code: 0))
        }
        try store.note([layer.descriptor.digest], in: image.repositoryName)
    }

    private func admit(_ read: IncomingLayer, _ layer: Layer, _ position: Int) throws {
        // What was unpacked on top of something that never came is wrong.
        guard !unpacks || finished.wait(forFirst: position) else { throw BuildError.cancelled }
        do {
            try store.admit(read, as: layer.chain)
        } catch let error as StoreError {
            try store.discard(layer.descriptor)
            throw BrokenLayer(image: image, digest: layer.descriptor.digest, reason: error)
        }
    }

    /// Brings a blob's bytes, and puts it into its place.
    private func fill(_ blob: IncomingBlob) throws {
        let hadBeginning = blob.received > 0
        let mirrors = try download(blob)
        do {
            try store.publish(blob)
        } catch let error as IncomingBlobError {
            guard case .digest = error.problem else { throw error }
            throw WrongBlob(reason: error, received: blob.received, hadBeginning: hadBeginning, mirrors: mirrors)
        }
    }

    /// - Returns: The mirrors that some of it came from.
    private func download(_ blob: IncomingBlob) throws -> [RegistryMirror] {
        progress.add(blob.received)
        let sink = ProgressingSink(blob, progress)
        do {
            return try client.fetch(blob.descriptor, of: image, into: sink)
        } catch {
            let foreign = ForeignLayer(descriptor: blob.descriptor)
            guard case .notFound = error.reason, !foreign.urls.isEmpty else { throw blob.failure ?? error }
            try foreign.fetch(into: sink, store: store, isCancelled: isCancelled)
            return []
        }
    }

    /// The layers below, when they are there: a layer waits only for those that were begun before it.
    private func lower(_ layer: Layer, _ position: Int) -> @Sendable () -> LayerStack? {
        let known = Mutex<LayerStack?>(nil)
        return { [self] in
            guard layer.chain.count > 1 else { return nil }
            return known.withLock { known in
                if known == nil, finished.wait(forFirst: position) {
                    known = try? store.stack(Array(layer.chain.dropLast()))
                }
                return known
            }
        }
    }
}

/// A blob that came whole, and was another one.
private struct WrongBlob: Error {
    let reason: IncomingBlobError
    let received: Int64
    /// Whether some of it was here before.
    let hadBeginning: Bool
    /// The mirrors that some of it came from.
    let mirrors: [RegistryMirror]
}

/// Counts the bytes that a blob takes.
private final class ProgressingSink: BlobSink {
    private let blob: IncomingBlob
    private let progress: TransferProgress

    init(_ blob: IncomingBlob, _ progress: TransferProgress) {
        self.blob = blob
        self.progress = progress
    }

    var received: Int64 { blob.received }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        progress.add(Int64(bytes.count))
        return blob.receive(bytes)
    }
}

/// A layer that came whole, and is none, or not the one that its image says.
struct BrokenLayer: Error, CustomStringConvertible {
    let image: ImageReference
    let digest: Digest
    let reason: any Error

    var description: String { "the layer \(digest) of \(image.familiar) cannot be used: \(reason)" }
}
