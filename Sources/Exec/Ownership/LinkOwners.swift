import CShims
import Glibc
import Synchronization

/// The owners of a step's symbolic links and pipes, which take no marks.
final class LinkOwners: Sendable {
    private struct Changes {
        /// By inode: that which the step sees, and that in the upper directory.
        var owners: [UInt64: FileOwner] = [:]
        /// What has an owner other than root, held so that nothing made later gets its number.
        var held: [SharedDescriptor] = []
    }

    /// By inode, of what is in the layers.
    private let ofLayers: [UInt64: FileOwner]
    private let changed = Mutex(Changes())
    private let upper: UpperFiles

    /// How many links are held at most: of those before, the number of one that is gone may be given to another.
    private static let longestHold = 128

    /// The owners where a step has changed none.
    init(ofLayers: [UInt64: FileOwner], upper: UpperFiles) {
        self.ofLayers = ofLayers
        self.upper = upper
    }

    /// Those that the step changed.
    var changes: [UInt64: FileOwner] { changed.withLock { $0.owners } }

    /// Whose a link or pipe of the step's root is; `nil` where nothing is known of it.
    func owner(of inode: UInt64) -> FileOwner? { changed.withLock { $0.owners[inode] } ?? ofLayers[inode] }

    /// Whose a link or pipe is that the step has not changed, and that the upper directory may not have.
    func ownerInLayers(of inode: UInt64) -> FileOwner? {
        changed.withLock { $0.owners[inode] == nil } ? ofLayers[inode] : nil
    }

    /// Whether nothing is known of any.
    var isEmpty: Bool { ofLayers.isEmpty && changed.withLock { $0.owners.isEmpty } }

    /// Records an owner.
    ///
    /// What was copied up from a layer keeps the number that it had there for as long as the overlay is mounted. In the upper
    /// directory, where the layer is made from, it has another.
    func set(_ owner: FileOwner, of file: borrowing Descriptor, inode: UInt64) {
        let found = upper.path(of: file).flatMap(upper.file)
        var status = cshims_status()
        let inUpper = found.flatMap { cshims_status($0.number, "", &status) == 0 ? status.inode : nil }
        changed.withLock { table in
            table.owners[inode] = owner
            if let inUpper { table.owners[inUpper] = owner }
            guard let found, owner != .root else { return }
            if table.held.count == Self.longestHold { table.held.removeFirst() }
            table.held.append(found)
        }
    }
}

/// A step's upper directory, in which the files that it made are found by their paths.
final class UpperFiles: Sendable {
    private let upper: SharedDescriptor

    /// PATH_MAX of linux/limits.h.
    private static let longestPath = 4096

    /// That directory; none is found where it cannot be opened.
    init(_ path: String) {
        upper = SharedDescriptor(max(-1, swb_open_directory(path)))
    }

    /// Where a file of the step's is, from the root of its mount: not absolute.
    func path(of file: borrowing Descriptor) -> [CChar]? {
        var buffer = [CChar](repeating: 0, count: Self.longestPath)
        // The mounts are another process's: the path is that from their root.
        let length = readlink("/proc/self/fd/\(file.number)", &buffer, buffer.count)
        guard length > 1, length < buffer.count, buffer[0] == CChar(bitPattern: UInt8(ascii: "/")) else { return nil }
        return Array(buffer[1..<length])
    }

    /// The file at such a path, where the upper directory has one; the empty path is that directory.
    func file(at path: [CChar]) -> SharedDescriptor? {
        let flags = UInt64(UInt32(bitPattern: CInt(CSHIMS_O_PATH) | O_NOFOLLOW | O_CLOEXEC))
        let beneath = UInt64(CSHIMS_RESOLVE_BENEATH | CSHIMS_RESOLVE_NO_SYMLINKS)
        let text = path.isEmpty ? [CChar(bitPattern: UInt8(ascii: "."))] : path
        let found = cshims_openat2(upper.number, text + [0], flags, 0, beneath)
        return found >= 0 ? SharedDescriptor(found) : nil
    }

    /// The path of the directory that the file at such a path is in.
    static func parent(of path: [CChar]) -> [CChar] {
        Array(path[..<(path.lastIndex(of: CChar(bitPattern: UInt8(ascii: "/"))) ?? 0)])
    }
}
