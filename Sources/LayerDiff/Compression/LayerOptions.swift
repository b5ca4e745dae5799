import OCI

/// How a layer that is written is compressed.
public enum LayerCompression: Sendable, Hashable {
    /// By ISA-L at its level 1, on several threads: on a Debian root file system about 210 MB/s on one, and 68 of 170 MB
    /// left, where its level 3 does 130 MB/s and leaves 66 MB, and zlib's level 6 does 15 MB/s and leaves 60 MB.
    case gzip
    /// By libzstd at this level, with a checksum; level 3 is its own default.
    case zstd(level: Int)
    /// Not at all.
    case none

    /// What blobs compressed so are called in media types.
    public var blobCompression: BlobCompression {
        switch self {
        case .gzip: .gzip
        case .zstd: .zstd
        case .none: .none
        }
    }

    /// Names the encoder and its level: blobs by encoders of different names differ, though their tars are the same.
    public var encoderName: String {
        switch self {
        case .gzip: "isal-\(DeflateCompressor.level)-\(PieceCutter.smallest >> 10)k-\(ChunkRing.chunkSize >> 10)k"
        case .zstd(let level): "zstd-\(level)"
        case .none: "none"
        }
    }
}

/// How a layer is written.
public struct LayerOptions: Sendable {
    /// How the blob is compressed.
    public var compression: LayerCompression
    /// Times later than this, in seconds since the epoch, are written as this.
    public var latestModification: Int64?
    /// An earlier blob, much of which may be the same.
    public var earlier: ReusablePieces?
    /// Where the digests of the entries' contents go, if they are wanted.
    public var contents: ContentDigests?

    /// gzip, and times as they are, unless told otherwise.
    public init(
        compression: LayerCompression = .gzip,
        latestModification: Int64? = nil,
        earlier: ReusablePieces? = nil,
        contents: ContentDigests? = nil
    ) {
        self.compression = compression
        self.latestModification = latestModification
        self.earlier = earlier
        self.contents = contents
    }
}

/// A layer's blob, completely written.
public struct LayerBlob: Sendable, Hashable {
    /// The digest of the tar.
    public let diffID: DiffID
    /// The digest of the blob.
    public let digest: Digest
    /// The blob's length.
    public let size: Int64
    /// How the blob is compressed.
    public let compression: BlobCompression
    /// The tar's length.
    public let uncompressedSize: Int64
}
