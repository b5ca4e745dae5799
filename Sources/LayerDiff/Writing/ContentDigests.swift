import OCI
import Synchronization

/// The digests of contents that were hashed while they were read into a layer.
public final class ContentDigests: Sendable {
    private let digests = Mutex<[Int: Digest]>([:])

    /// None yet.
    public init() {}

    func note(_ digest: Digest, of entry: Int) { digests.withLock { $0[entry] = digest } }

    /// The digest of the content of the entry with this number in the layer's list; `nil` where it has none.
    public subscript(entry: Int) -> Digest? { digests.withLock { $0[entry] } }
}
