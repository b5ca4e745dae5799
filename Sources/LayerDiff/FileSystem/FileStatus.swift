import CShims
import Glibc

/// What kind of thing a name in a directory stands for.
public enum FileKind: Sendable, Hashable {
    case file, directory, symlink, characterDevice, blockDevice, fifo, socket

    /// The kind in the type bits of a `st_mode`.
    init?(mode: UInt32) {
        switch mode & UInt32(S_IFMT) {
        case UInt32(S_IFREG): self = .file
        case UInt32(S_IFDIR): self = .directory
        case UInt32(S_IFLNK): self = .symlink
        case UInt32(S_IFCHR): self = .characterDevice
        case UInt32(S_IFBLK): self = .blockDevice
        case UInt32(S_IFIFO): self = .fifo
        case UInt32(S_IFSOCK): self = .socket
        default: return nil
        }
    }
}

extension FileKind {
    /// The kind in the `d_type` of a directory's record, see readdir(3); `nil` where the file system does not say.
    init?(directoryType: UInt8) {
        // The numbers are those of the type bits of a mode, moved to the right.
        self.init(mode: UInt32(directoryType) << 12)
    }
}

/// A point in time, as file systems store it.
public struct Timestamp: Sendable, Hashable {
    /// Whole seconds since the epoch.
    public var seconds: Int64
    /// The rest, 0 to 999,999,999.
    public var nanoseconds: Int32

    /// The time so long after the epoch.
    public init(seconds: Int64, nanoseconds: Int32 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }
}

/// What the file system says of a file, without following a symlink.
public struct FileStatus: Sendable, Hashable {
    /// What it is.
    public var kind: FileKind
    /// The permission bits with set-uid, set-gid and sticky: 07777.
    public var mode: UInt16
    /// The owner's user id.
    public var uid: UInt32
    /// The owner's group id.
    public var gid: UInt32
    /// The length in bytes.
    public var size: Int64
    /// How many blocks of 512 bytes are stored: fewer than the size asks for where the file has holes.
    public var blocks: UInt64
    /// When the content last changed.
    public var modified: Timestamp
    /// When the content or the attributes last changed.
    public var changed: Timestamp
    /// The file system that it is on.
    public var device: UInt64
    /// The file's number there.
    public var inode: UInt64
    /// How many names it has.
    public var linkCount: UInt32
    /// A device node's major number.
    public var deviceMajor: UInt32
    /// A device node's minor number.
    public var deviceMinor: UInt32

    init?(_ status: cshims_status) {
        guard let kind = FileKind(mode: status.mode) else { return nil }
        self.kind = kind
        mode = UInt16(status.mode & 0o7777)
        uid = status.uid
        gid = status.gid
        size = Int64(clamping: status.size)
        blocks = status.blocks
        modified = Timestamp(seconds: status.modified_seconds, nanoseconds: Int32(status.modified_nanoseconds))
        changed = Timestamp(seconds: status.changed_seconds, nanoseconds: Int32(status.changed_nanoseconds))
        device = status.device
        inode = status.inode
        linkCount = status.link_count
        deviceMajor = status.device_major
        deviceMinor = status.device_minor
    }

    /// The status of what `name` in `directory` stands for (the empty name: `directory` itself), or a negated errno.
    static func read(_ directory: CInt, _ name: UnsafePointer<CChar>) -> Result<FileStatus, NegatedErrno> {
        var status = cshims_status()
        let result = cshims_status(directory, name, &status)
        guard result == 0 else { return .failure(NegatedErrno(value: Int(result))) }
        guard let found = FileStatus(status) else { return .failure(NegatedErrno(value: -Int(EINVAL))) }
        return .success(found)
    }
}

/// A failure as the shims return it.
struct NegatedErrno: Error {
    let value: Int
}
