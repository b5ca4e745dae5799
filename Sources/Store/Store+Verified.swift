import Glibc
import OCI

/// What the file system says of a file of somebody's that was read: as long as it says the same, it is the same.
///
/// The rule is that of the context's digests: a file that was changed just before it was looked at may be changed again
/// without a sign, and is not remembered.
public struct FileStamp: Sendable, Hashable {
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

/// The same of a blob of the store, where layouts may have further names for the file.
///
/// Without the time of the inode's last change, which is another with each name that comes or goes. Writing changes the time
/// of the content; who could set that back is the file's owner alone, which is this process's user.
struct BlobStamp {
    /// All of it, to be kept.
    let text: String
    /// Whether the file has one name.
    let isOnlyName: Bool
    /// The file's type and mode, and its group; its owner is this process's user.
    let (mode, group): (mode_t, gid_t)
    private let modified: Int64

    /// The stamp of the file at `path`; `nil` where there is none, or it is not for this process's user alone to write to.
    init?(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o022 == 0,
            status.st_uid == geteuid()
        else { return nil }
        text = [
            Int(status.st_dev), Int(status.st_ino), Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
        ].map(String.init).joined(separator: " ")
        isOnlyName = status.st_nlink == 1
        (mode, group) = (status.st_mode, status.st_gid)
        modified = Int64(status.st_mtim.tv_sec)
    }

    /// Whether the file was as it is for long enough when `now` came.
    func isSettled(at now: Int64) -> Bool { modified < now - 2 }
}

extension Store {
    /// Smaller blobs are hashed faster than looked up.
    static let smallestRemembered: Int64 = 64 << 10

    /// What to keep of a layer's blob that this process hashed while it wrote or read it; `nil` where that is not worth it.
    ///
    /// It was renamed into place after its last byte was written, and nobody writes to a blob in its place, nor knows it by
    /// another name: there is no change that could go unseen, however fresh the file is.
    func verification(of layer: LayerRecord) -> (text: String, values: [DatabaseValue])? {
        guard layer.size >= Self.smallestRemembered, let stamp = BlobStamp(images.blobPath(layer.digest)),
            stamp.isOnlyName
        else { return nil }
        return Self.verification(layer.digest, stamp)
    }

    /// Remembers that a blob which looked like this is what its digest says.
    func noteVerified(_ digest: Digest, _ stamp: BlobStamp) throws {
        let statement = Self.verification(digest, stamp)
        try database.query(statement.text, statement.values)
    }

    private static func verification(_ digest: Digest, _ stamp: BlobStamp) -> (text: String, values: [DatabaseValue]) {
        ("INSERT OR REPLACE INTO verified (digest, stamp) VALUES (?, ?)", [.text(digest.hex), .text(stamp.text)])
    }

    /// Whether a blob looked like this when it was hashed.
    func isVerified(_ digest: Digest, _ stamp: BlobStamp) throws -> Bool {
        let rows = try database.query("SELECT stamp FROM verified WHERE digest = ?", [.text(digest.hex)])
        return rows.first?[0].text == stamp.text
    }
}
