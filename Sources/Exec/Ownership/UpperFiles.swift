import CShims
import Glibc

/// A step's upper directory, in which the files that it made are found by their paths.
final class UpperFiles: Sendable {
    /// A file of the step's as the upper directory has it.
    struct Found {
        let descriptor: SharedDescriptor
        let status: cshims_status
        /// Where it is, from that directory: not absolute.
        let path: [CChar]

        /// What overlayfs writes on files and directories that it copied up (overlayfs.rst, "Inode properties").
        static let originMark = "user.overlay.origin"

        /// Whether it was in a layer, and was copied up since; `seen` is what the step sees of it.
        ///
        /// Links and pipes take no mark: for as long as the kernel remembers, the step sees the number from the layer.
        func isCopiedUp(_ seen: cshims_status) -> Bool {
            let kind = mode_t(status.mode) & S_IFMT
            if kind == S_IFLNK || kind == S_IFIFO { return seen.inode != status.inode }
            return OwnershipSupervisor.attribute(Self.originMark, ofFile: descriptor.number) != nil
        }
    }

    private let upper: SharedDescriptor

    /// PATH_MAX of linux/limits.h.
    private static let longestPath = 4096
    private static let slash = CChar(bitPattern: UInt8(ascii: "/"))

    /// That directory; none is found where it cannot be opened.
    init(_ path: String) {
        upper = SharedDescriptor(max(-1, swb_open_directory(path)))
    }

    /// What the upper directory has at the path of a file of the step's.
    ///
    /// A step that renames meanwhile may have another file found, but one of its own.
    func find(_ file: borrowing Descriptor, _ seen: cshims_status) -> Found? {
        // The path of what has no name any more is one that another file may have.
        guard seen.link_count > 0 else { return nil }
        var buffer = [CChar](repeating: 0, count: Self.longestPath)
        // The mounts are another process's: the path is that from their root.
        let length = readlink("/proc/self/fd/\(file.number)", &buffer, buffer.count)
        guard length > 1, length < buffer.count, buffer[0] == Self.slash else { return nil }
        let path = Array(buffer[1..<length])
        guard let found = open(path, from: upper), let status = Self.status(found),
            (status.mode ^ seen.mode) & UInt32(S_IFMT) == 0
        else { return nil }
        return Found(descriptor: found, status: status, path: path)
    }

    /// The groups that a new file may have had from the set-group-ID directory that it is in.
    enum Group: Equatable {
        /// That of who made it.
        case maker
        /// That of the directory, as its mark says, or root's.
        case directory(UInt32)
    }

    /// Whose group new files have in the directory of `path`; `marked` reads a directory's owner.
    func groupOfNewFiles(besides path: [CChar], marked: (SharedDescriptor) -> FileOwner?) -> Group {
        let names = path.split(separator: Self.slash).dropLast()
        let parent = names.isEmpty ? upper : open(Array(names.joined(separator: [Self.slash])), from: upper)
        guard let parent, Self.setsGroup(parent) else { return .maker }
        if let owner = marked(parent) { return .directory(owner.gid) }
        // A directory without a mark is new too, and may have its group from the one above it.
        var place = upper
        var group = Group.directory(marked(upper)?.gid ?? 0)
        if !Self.setsGroup(upper) { group = .maker }
        for name in names {
            guard let next = open(Array(name), from: place) else { return .maker }
            place = next
            guard Self.setsGroup(place) else {
                group = .maker
                continue
            }
            if let owner = marked(place) {
                group = .directory(owner.gid)
            } else if OwnershipSupervisor.attribute(Found.originMark, ofFile: place.number) != nil {
                group = .directory(0)
            }
        }
        return group
    }

    private func open(_ path: [CChar], from directory: SharedDescriptor) -> SharedDescriptor? {
        let flags = UInt64(UInt32(bitPattern: CInt(CSHIMS_O_PATH) | O_NOFOLLOW | O_CLOEXEC))
        let beneath = UInt64(CSHIMS_RESOLVE_BENEATH | CSHIMS_RESOLVE_NO_SYMLINKS)
        let found = cshims_openat2(directory.number, path + [0], flags, 0, beneath)
        return found >= 0 ? SharedDescriptor(found) : nil
    }

    private static func status(_ file: SharedDescriptor) -> cshims_status? {
        var status = cshims_status()
        return cshims_status(file.number, "", &status) == 0 ? status : nil
    }

    private static func setsGroup(_ directory: SharedDescriptor) -> Bool {
        status(directory).map { mode_t($0.mode) & S_ISGID != 0 } ?? false
    }
}
