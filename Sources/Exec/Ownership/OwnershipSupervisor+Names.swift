import CShims
import Glibc

/// New names for symbolic links and pipes of the layers, whose owners are known by inode alone.
extension OwnershipSupervisor {
    static let nameNames = ["rename", "renameat", "renameat2", "link", "linkat"]

    /// Copies such links up before they get other names, and records their owners.
    ///
    /// In the upper directory, where the layer is made from, nothing else tells where they came from. Where the step has put
    /// another path into its memory when the kernel reads it, the link named there loses its owner.
    func keepOwners(_ call: borrowing TrappedCall, _ files: CallerFiles) {
        let words = call.arguments
        switch call.name {
        case "rename", "link": keepOwner(of: named(words[0], files), call, files)
        case "linkat":
            let flags = Self.int(words[4])
            let follows = flags & AT_SYMLINK_FOLLOW != 0
            let isEmpty = files.path(at: words[1])?.isEmpty ?? false
            if isEmpty, flags & CInt(CSHIMS_AT_EMPTY_PATH) != 0 {
                guard let file = try? files.file(Self.int(words[0])) else { return }
                keepOwner(of: file, call, files)
            } else {
                keepOwner(of: named(words[1], from: Self.int(words[0]), followsLast: follows, files), call, files)
            }
        default:
            keepOwner(of: named(words[1], from: Self.int(words[0]), files), call, files)
            // linux/fs.h
            let exchange: UInt64 = 2
            guard call.name == "renameat2", words[4] & exchange != 0 else { return }
            keepOwner(of: named(words[3], from: Self.int(words[2]), files), call, files)
        }
    }

    /// The file that an argument names; a negative descriptor for none.
    private func named(
        _ address: UInt64,
        from directory: CInt = AT_FDCWD,
        followsLast: Bool = false,
        _ files: CallerFiles
    ) -> Descriptor {
        guard let path = files.path(at: address),
            let file = try? files.file(path, from: directory, followsLast: followsLast)
        else { return Descriptor(-1) }
        return file
    }

    private func keepOwner(
        of file: consuming Descriptor,
        _ call: borrowing TrappedCall,
        _ files: CallerFiles
    ) {
        var status = cshims_status()
        guard file.number >= 0, cshims_status(file.number, "", &status) == 0 else { return }
        let kind = mode_t(status.mode) & S_IFMT
        guard kind == S_IFLNK || kind == S_IFIFO, files.isInRoot(status.device),
            let owner = links.ownerInLayers(of: file, status) ?? rootIfFormer(file, status), call.isWaiting,
            // To the owner that it has for the kernel: that copies it up, and keeps its time.
            fchownat(file.number, "", 0, 0, CInt(CSHIMS_AT_EMPTY_PATH)) == 0
        else { return }
        // Where too many are recorded, the new name is worth more than the owner.
        try? links.set(owner, of: file)
    }

    /// Of the layers' links, only those that are not root's are known.
    private func rootIfFormer(_ file: borrowing Descriptor, _ status: cshims_status) -> FileOwner? {
        if links.isRecorded(file, status) { return nil }
        switch swb_was_made_since(file.number, Int64(began.tv_sec), UInt32(began.tv_nsec)) {
        case 0: return .root
        case 1: return upper.find(file, status)?.isCopiedUp(status) == true ? .root : nil
        default: return nil
        }
    }
}
