import CShims
import Glibc
import SystemPackage

/// What a step is told of files that are not what their marks say.
extension OwnershipSupervisor {
    static let statNames = ["stat", "lstat", "fstat", "newfstatat", "statx"]

    /// Says of a placeholder that it is a device, and of a file that it is its owner's; else the kernel is right.
    func status(_ call: borrowing TrappedCall, _ files: CallerFiles) throws(Errno) -> CallAnswer {
        let words = call.arguments
        let file: Descriptor
        do throws(Errno) { file = try statFile(call, files) } catch { return .proceed }
        guard var seen = appearance(of: file, files), call.isWaiting else { return .proceed }
        let result =
            switch call.name {
            case "statx": swb_write_statx(call.thread, words[4], file.number, Self.id(words[3]), &seen)
            case "newfstatat": swb_write_stat(call.thread, words[2], file.number, &seen)
            default: swb_write_stat(call.thread, words[1], file.number, &seen)
            }
        guard result == 0 else { throw Errno(rawValue: -result) }
        return .value(0)
    }

    /// What is to be said of a file; `nil` where that is what the kernel says.
    private func appearance(of file: borrowing Descriptor, _ files: CallerFiles) -> swb_appearance? {
        var seen = swb_appearance()
        if scope.showsDevices {
            let name = marks.device(FileMarks.Device(isBlockDevice: false, major: 0, minor: 0)).name
            if let device = Self.attribute(name, of: file).flatMap(marks.readDevice) {
                seen.type = UInt32(device.isBlockDevice ? S_IFBLK : S_IFCHR)
                (seen.major, seen.minor) = (device.major, device.minor)
            }
        }
        if scope.marksOwners, let owner = owner(of: file, files), owner != .root {
            seen.has_owner = 1
            (seen.uid, seen.gid) = (owner.uid, owner.gid)
        }
        return seen.type != 0 || seen.has_owner != 0 ? seen : nil
    }

    /// Whose a file is, where that can be told.
    ///
    /// A file without a mark is root's, or was made by this step as its user.
    func owner(of file: borrowing Descriptor, _ files: CallerFiles) -> FileOwner? {
        if let owner = markedOwner(file) ?? recordedOwner(file, isInRoot: files.isInRoot) { return owner }
        guard swb_was_made_since(file.number, Int64(began.tv_sec), UInt32(began.tv_nsec)) == 1 else { return nil }
        var status = cshims_status()
        guard cshims_status(file.number, "", &status) == 0, files.isInRoot(status.device) else { return nil }
        var owner = FileOwner(uid: scope.credentials.uid, gid: scope.credentials.gid)
        guard let found = upper.find(file, status) else { return owner }
        if found.isCopiedUp(status) { return nil }
        if case .directory(let group) = upper.groupOfNewFiles(besides: found.path, marked: markedOwner) {
            owner.gid = group
        }
        return owner
    }

    private func markedOwner(_ file: SharedDescriptor) -> FileOwner? {
        Self.attribute(marks.owner(.root).name, ofFile: file.number).flatMap(marks.readOwner)
    }

    private func statFile(_ call: borrowing TrappedCall, _ files: CallerFiles) throws(Errno) -> Descriptor {
        let words = call.arguments
        switch call.name {
        case "fstat": return try files.file(Self.int(words[0]))
        case "stat", "lstat":
            guard let path = files.path(at: words[0]) else { throw .badAddress }
            return try files.file(path, from: AT_FDCWD, followsLast: call.name == "stat")
        default:
            guard let path = files.path(at: words[1]) else { throw .badAddress }
            let flags = Self.int(call.name == "statx" ? words[2] : words[3])
            if path.isEmpty, flags & CInt(CSHIMS_AT_EMPTY_PATH) != 0 { return try files.file(Self.int(words[0])) }
            return try files.file(
                path,
                from: Self.int(words[0]),
                followsLast: flags & AT_SYMLINK_NOFOLLOW == 0
            )
        }
    }
}
