import Glibc
import OCI

/// What the file system says of a blob, or another file, that was read: as long as it says the same, it is the same.
///
/// The rule is that of the context's digests: a file that was changed just before it was looked at may be changed again
/// without a sign, and is not remembered.
public struct BlobStamp: Sendable, Hashable {
    /// All of it, to be kept.
    public let text: String
    private let latest: Int64

    /// The stamp of the file at `path`; `nil` where there is none.
    public init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        let (modified, changed) = (status.st_mtim, status.st_ctim)
        text = [
            Int(status.st_dev), Int(status.st_ino), Int(status.st_size), modified.tv_sec, modified.tv_nsec,
            changed.tv_sec, changed.tv_nsec,
        ].map(String.init).joined(separator: " ")
        latest = Int64(max(modified.tv_sec, changed.tv_sec))
    }

    /// Whether the file was as it is for long enough when `now` came.
    public func isSettled(at now: Int64) -> Bool { latest < now - 2 }
}

extension Store {
    /// Smaller blobs are hashed faster than looked up.
    private static let smallestRemembered: Int64 = 1 << 20

    /// Copies a blob of the store to a new file, as long as `isWanted` says so, and hashes it on the way unless it is known
    /// to be what it was when it was hashed last.
    /// - Throws: ``BlobError`` where the blob is not what its digest says, ``HostFileError``, ``UnwantedCopy``; nothing is
    ///   left of the file then.
    public func copy(
        _ descriptor: Descriptor,
        toNew file: String,
        while isWanted: () -> Bool = { true }
    ) throws {
        let path = images.blobPath(descriptor.digest)
        let began = Self.now
        let stamp = descriptor.size >= Self.smallestRemembered ? BlobStamp(path) : nil
        var isKnown = isFresh(descriptor.digest)
        if !isKnown, let stamp { isKnown = try isVerified(descriptor.digest, stamp) }
        try images.copy(descriptor, toNew: file, verifying: !isKnown, while: isWanted)
        guard !isKnown, let stamp, stamp.isSettled(at: began), stamp == BlobStamp(path) else { return }
        let statement = Self.verification(descriptor.digest, stamp)
        try database.query(statement.text, statement.values)
    }

    /// What to keep of a layer's blob that this process hashed while it wrote it; `nil` where that is not worth it.
    ///
    /// It was renamed into place after its last byte was written, and nobody writes to a blob in its place: there is no
    /// change that could go unseen, however fresh the file is.
    func verification(of layer: LayerRecord) -> (text: String, values: [DatabaseValue])? {
        guard layer.size >= Self.smallestRemembered, let stamp = BlobStamp(images.blobPath(layer.digest)) else {
            return nil
        }
        return Self.verification(layer.digest, stamp)
    }

    private static func verification(_ digest: Digest, _ stamp: BlobStamp) -> (text: String, values: [DatabaseValue]) {
        ("INSERT OR REPLACE INTO verified (digest, stamp) VALUES (?, ?)", [.text(digest.hex), .text(stamp.text)])
    }

    private func isVerified(_ digest: Digest, _ stamp: BlobStamp) throws -> Bool {
        let rows = try database.query("SELECT stamp FROM verified WHERE digest = ?", [.text(digest.hex)])
        return rows.first?[0].text == stamp.text
    }
}
