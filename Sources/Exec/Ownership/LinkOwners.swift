import CShims
import Glibc
import Synchronization

/// The owners of a step's symbolic links and pipes, which take no marks.
final class LinkOwners: Sendable {
    /// By inode, of what is in the layers.
    private let ofLayers: [UInt64: FileOwner]
    /// By inode: that which the step sees, and that in the upper directory.
    private let changed = Mutex<[UInt64: FileOwner]>([:])
    private let upper: SharedDescriptor

    /// PATH_MAX of linux/limits.h.
    private static let longestPath = 4096

    /// The owners where a step has changed none.
    init(ofLayers: [UInt64: FileOwner], upperDirectory: String) {
        self.ofLayers = ofLayers
        upper = SharedDescriptor(max(-1, swb_open_directory(upperDirectory)))
    }

    /// Those that the step changed.
    var changes: [UInt64: FileOwner] { changed.withLock { $0 } }

    /// Whose a link or pipe of the step's root is; `nil` where nothing is known of it.
    func owner(of inode: UInt64) -> FileOwner? { changed.withLock { $0[inode] } ?? ofLayers[inode] }

    /// Whether nothing is known of any.
    var isEmpty: Bool { ofLayers.isEmpty && changed.withLock { $0.isEmpty } }

    /// Records an owner.
    ///
    /// What was copied up from a layer keeps the number that it had there for as long as the overlay is mounted. In the upper
    /// directory, where the layer is made from, it has another.
    func set(_ owner: FileOwner, of file: borrowing Descriptor, inode: UInt64) {
        let inUpper = inodeInUpper(file)
        changed.withLock { table in
            table[inode] = owner
            if let inUpper { table[inUpper] = owner }
        }
    }

    private func inodeInUpper(_ file: borrowing Descriptor) -> UInt64? {
        var buffer = [CChar](repeating: 0, count: Self.longestPath)
        // The mounts are another process's: the path is that from their root.
        let length = readlink("/proc/self/fd/\(file.number)", &buffer, buffer.count)
        guard length > 1, length < buffer.count, buffer[0] == CChar(bitPattern: UInt8(ascii: "/")) else { return nil }
        let flags = UInt64(UInt32(bitPattern: CInt(CSHIMS_O_PATH) | O_NOFOLLOW | O_CLOEXEC))
        let beneath = UInt64(CSHIMS_RESOLVE_BENEATH | CSHIMS_RESOLVE_NO_SYMLINKS)
        let found = Descriptor(cshims_openat2(upper.number, Array(buffer[1..<length]) + [0], flags, 0, beneath))
        var status = cshims_status()
        guard found.number >= 0, cshims_status(found.number, "", &status) == 0 else { return nil }
        return status.inode
    }
}
