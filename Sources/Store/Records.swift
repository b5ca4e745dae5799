import LayerDiff
import OCI

/// What the store knows of a layer whose blob it holds.
public struct LayerRecord: Sendable, Hashable {
    /// The digest of the uncompressed tar: the layer's name.
    public var diffID: DiffID
    /// The digest of the blob.
    public var digest: Digest
    /// The blob's size in bytes.
    public var size: Int64
    /// How the blob is compressed.
    public var compression: BlobCompression

    /// A record of these parts.
    public init(diffID: DiffID, digest: Digest, size: Int64, compression: BlobCompression) {
        self.diffID = diffID
        self.digest = digest
        self.size = size
        self.compression = compression
    }

    /// How a manifest points to the layer.
    public var descriptor: Descriptor {
        Descriptor(mediaType: .layer(compression), digest: digest, size: size)
    }
}

/// The names of a step in the cache.
public struct StepIdentity: Sendable, Hashable {
    /// The digest of all that the step's result depends on, apart from the layers below.
    public var key: Digest
    /// The digest of the instruction alone: what stays the same when the contents that it uses change.
    public var definition: Digest
    /// The layers that the step stands on; `nil` where there are none, or none that matter.
    public var parent: ChainID?

    /// An identity of these parts.
    public init(key: Digest, definition: Digest, parent: ChainID?) {
        self.key = key
        self.definition = definition
        self.parent = parent
    }
}

/// What came of a step.
public struct StepRecord: Sendable, Hashable {
    /// The names of the step in the cache.
    public var identity: StepIdentity
    /// The layer that the step left; `nil` where it leaves none.
    public var diffID: DiffID?
    /// When the step ran, in seconds since the epoch.
    public var created: Int64
    /// How long the step took.
    public var seconds: Double
    /// The raw fields of the key, so that a later miss can be explained.
    public var fields: [UInt8]

    /// A record of these parts.
    public init(identity: StepIdentity, diffID: DiffID?, created: Int64, seconds: Double, fields: [UInt8]) {
        self.identity = identity
        self.diffID = diffID
        self.created = created
        self.seconds = seconds
        self.fields = fields
    }
}

/// What a build that finds a step in the cache needs to know of it.
public struct StepHit: Sendable, Hashable {
    /// The layer that the step left.
    public var diffID: DiffID
    /// When the step ran, in seconds since the epoch.
    public var created: Int64
}

/// A form of a layer made for output: other compression, or times held below a limit.
public struct LayerVariant: Sendable, Hashable {
    /// The layer that it was made from.
    public var source: DiffID
    /// The compression that was asked for.
    public var compression: BlobCompression
    /// Later modification times were set to this many seconds since the epoch.
    public var latestModification: Int64?

    /// A variant of these parts.
    public init(source: DiffID, compression: BlobCompression, latestModification: Int64?) {
        self.source = source
        self.compression = compression
        self.latestModification = latestModification
    }
}
