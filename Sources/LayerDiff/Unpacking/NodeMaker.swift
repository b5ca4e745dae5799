import CShims
import Glibc
import SystemPackage

/// Makes files, directories and other nodes beneath a root directory, with all their attributes.
///
/// The order is owner, mode, extended attributes, time: a change of owner clears set-uid bits and file capabilities.
/// Directories get their times at the end, when nothing more is put into them.
final class NodeMaker {
    /// A place for a node: a name in an open directory.
    struct Spot {
        let directory: Directory
        /// Empty for the root directory itself.
        let name: [UInt8]
        let path: ContainerPath
    }

    let root: Directory
    private let isUnprivileged: Bool
    private var parent: (path: ContainerPath, directory: Directory)?
    private var directoryTimes: [(path: ContainerPath, modified: Int64)] = []

    /// Makes nodes beneath `root`; in a user namespace, what it may not set is left out.
    init(_ root: Directory, isUnprivileged: Bool = false) {
        self.root = root
        self.isUnprivileged = isUnprivileged
    }

    // MARK: parents

    /// The directory at `path`, if it was the one asked for last.
    func knownParent(_ path: ContainerPath) -> Directory? {
        if path.isRoot { return root }
        return parent?.path == path ? parent?.directory : nil
    }

    /// Opens the directory at `path` and remembers it; `nil` if there is none that is reached through directories only.
    func openParent(_ path: ContainerPath) throws(FileError) -> Directory? {
        if path.isRoot { return root }
        let raw = root.tryOpen(path, CInt(CSHIMS_O_PATH) | O_DIRECTORY | O_CLOEXEC, .beneath)
        if raw == -ENOENT || raw == -ENOTDIR || raw == -ELOOP { return nil }
        guard raw >= 0 else { throw FileError("open", root.display(path), negated: Int(raw)) }
        let directory = Directory(owning: raw, place: root.display(path))
        parent = (path, directory)
        return directory
    }

    /// Whether `path` is a directory, reached through directories only.
    func isDirectory(_ path: ContainerPath) -> Bool {
        let descriptor = root.tryOpen(path, CInt(CSHIMS_O_PATH) | O_DIRECTORY | O_CLOEXEC, .beneath)
        guard descriptor >= 0 else { return false }
        close(descriptor)
        return true
    }

    // MARK: nodes

    /// Makes a directory, or gives the one that is there the attributes of `entry`.
    func makeDirectory(_ spot: Spot, _ entry: TreeEntry) throws(FileError) {
        var isNew = !spot.name.isEmpty
        if isNew {
            var result = withCString(spot.name) { mkdirat(spot.directory.rawDescriptor, $0, 0o700) }
            if result < 0 && errno == EEXIST {
                if try isDirectory(spot) {
                    isNew = false
                    result = 0
                } else {
                    try remove(spot.path)
                    result = withCString(spot.name) { mkdirat(spot.directory.rawDescriptor, $0, 0o700) }
                }
            }
            guard result == 0 else { throw failure("make the directory", spot) }
        }
        if !isNew { try removeAttributes(spot, otherThan: entry.attributes) }
        try setOwnerAndMode(spot, entry)
        try setAttributes(spot, entry)
        directoryTimes.append((spot.path, entry.modified))
    }

    /// Makes what is neither a file nor a directory.
    func makeNode(_ spot: Spot, _ entry: TreeEntry) throws(FileError) {
        try replacing(spot, "make") { directory, name in
            switch entry.kind {
            case .symlink(let target): return withCString(target) { symlinkat($0, directory, name) }
            case .characterDevice(let major, let minor):
                return negated(cshims_mknod(directory, name, UInt32(S_IFCHR) | 0o600, major, minor))
            case .blockDevice(let major, let minor):
                return negated(cshims_mknod(directory, name, UInt32(S_IFBLK) | 0o600, major, minor))
            case .fifo: return negated(cshims_mknod(directory, name, UInt32(S_IFIFO) | 0o600, 0, 0))
            case .whiteout: return negated(cshims_mknod(directory, name, UInt32(S_IFCHR), 0, 0))
            case .file, .directory, .hardLink: return negated(-EINVAL)
            }
        }
        try setOwnerAndMode(spot, entry)
        try setAttributes(spot, entry)
        try setTime(spot, entry.modified)
    }

    /// Makes an empty file, to be written and completed.
    func createFile(_ spot: Spot) throws(FileError) -> FileOutput {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let raw = try replacing(spot, "make the file") { openat($0, $1, flags, 0o600) }
        return FileOutput(OwnedDescriptor(owning: raw, path: display(spot)))
    }

    /// Gives a written file its attributes.
    func complete(_ file: FileOutput, _ spot: Spot, _ entry: TreeEntry) throws(FileError) {
        guard fchown(file.raw, entry.uid, entry.gid) == 0 else { throw ownerFailure(spot, entry) }
        guard fchmod(file.raw, mode_t(entry.mode)) == 0 else { throw failure("set the mode of", spot) }
        try setAttributes(spot, entry)
        var times = [
            timespec(tv_sec: Int(entry.modified), tv_nsec: 0), timespec(tv_sec: Int(entry.modified), tv_nsec: 0),
        ]
        guard futimens(file.raw, &times) == 0 else { throw failure("set the time of", spot) }
    }

    /// Gives the file at `target` one more name: whether there was such a file.
    func link(_ spot: Spot, to target: ContainerPath) throws(FileError) -> Bool {
        let flags = CInt(CSHIMS_O_PATH) | O_DIRECTORY | O_CLOEXEC
        let raw = root.tryOpen(target.parent ?? .root, flags, .beneath)
        if raw == -ENOENT || raw == -ENOTDIR || raw == -ELOOP { return false }
        guard raw >= 0 else { throw FileError("open", root.display(target.parent ?? .root), negated: Int(raw)) }
        let from = OwnedDescriptor(owning: raw, path: root.display(target))
        let name = Array(target.name)
        guard case .success(let status) = withCString(name, { FileStatus.read(from.raw, $0) }) else { return false }
        // A link to a directory is refused by the kernel; one to a whiteout is no link to a file.
        let isWhiteout = status.kind == .characterDevice && status.deviceMajor == 0 && status.deviceMinor == 0
        guard status.kind != .directory, !isWhiteout else { return false }
        try replacing(spot, "link") { directory, newName in
            withCString(name) { linkat(from.raw, $0, directory, newName, 0) }
        }
        return true
    }

    /// Sets the directories' times, and forgets what was open.
    func finish() throws(FileError) {
        parent = nil
        for (path, modified) in directoryTimes {
            let raw = root.tryOpen(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, .beneath)
            // Something later in the layer took its place.
            if raw == -ENOENT || raw == -ENOTDIR || raw == -ELOOP { continue }
            guard raw >= 0 else { throw FileError("open", root.display(path), negated: Int(raw)) }
            let directory = OwnedDescriptor(owning: raw, path: root.display(path))
            var times = [timespec(tv_sec: Int(modified), tv_nsec: 0), timespec(tv_sec: Int(modified), tv_nsec: 0)]
            guard futimens(directory.raw, &times) == 0 else {
                throw FileError("set the time of", directory.path, negated: -Int(errno))
            }
        }
        directoryTimes = []
    }

    // MARK: steps

    /// Runs `make`, and once more after removing what stood in its way: its result if that is not negative.
    @discardableResult
    private func replacing(
        _ spot: Spot,
        _ operation: String,
        _ make: (CInt, UnsafePointer<CChar>) -> CInt
    ) throws(FileError) -> CInt {
        func run() -> CInt { withCString(spot.name) { make(spot.directory.rawDescriptor, $0) } }
        var result = run()
        if result < 0 && errno == EEXIST {
            try remove(spot.path)
            result = run()
        }
        guard result >= 0 else { throw failure(operation, spot) }
        return result
    }

    /// Removes what is at `path`, with all that is beneath it.
    func remove(_ path: ContainerPath) throws(FileError) {
        try TreeRemoval.remove(path, in: root)
        if let parent, parent.path == path || path.isAncestor(of: parent.path) { self.parent = nil }
    }

    private func isDirectory(_ spot: Spot) throws(FileError) -> Bool {
        switch withCString(spot.name, { FileStatus.read(spot.directory.rawDescriptor, $0) }) {
        case .success(let status): return status.kind == .directory
        case .failure(let failure): throw FileError("examine", display(spot), negated: failure.value)
        }
    }

    private func setOwnerAndMode(_ spot: Spot, _ entry: TreeEntry) throws(FileError) {
        let flags = AT_SYMLINK_NOFOLLOW | CInt(CSHIMS_AT_EMPTY_PATH)
        let directory = spot.directory.rawDescriptor
        guard withCString(spot.name, { fchownat(directory, $0, entry.uid, entry.gid, flags) }) == 0 else {
            throw ownerFailure(spot, entry)
        }
        switch entry.kind {
        case .symlink, .whiteout: return
        case .file, .directory, .hardLink, .characterDevice, .blockDevice, .fifo: break
        }
        let name = spot.name.isEmpty ? [UInt8(ascii: ".")] : spot.name
        guard withCString(name, { fchmodat(directory, $0, mode_t(entry.mode), 0) }) == 0 else {
            throw failure("set the mode of", spot)
        }
    }

    private func setAttributes(_ spot: Spot, _ entry: TreeEntry) throws(FileError) {
        for attribute in entry.attributes {
            do throws(FileError) {
                try spot.directory.setExtendedAttribute(attribute, on: spot.name)
            } catch {
                guard isUnprivileged, error.errno == .notPermitted, attribute.isOfSecurityModule else { throw error }
            }
        }
    }

    private func setTime(_ spot: Spot, _ modified: Int64) throws(FileError) {
        let result = withCString(spot.name) { cshims_set_times(spot.directory.rawDescriptor, $0, modified) }
        guard result == 0 else { throw FileError("set the time of", display(spot), negated: Int(result)) }
    }

    private func removeAttributes(_ spot: Spot, otherThan wanted: [ExtendedAttribute]) throws(FileError) {
        for attribute in try spot.directory.extendedAttributes(named: spot.name)
        where ExtendedAttribute.isPortable(attribute.name) && !wanted.contains(where: { $0.name == attribute.name }) {
            try spot.directory.removeExtendedAttribute(attribute.name, from: spot.name)
        }
    }

    private func ownerFailure(_ spot: Spot, _ entry: TreeEntry) -> FileError {
        failure("\(FileError.settingOwner) \(entry.uid):\(entry.gid) of", spot)
    }

    private func failure(_ operation: String, _ spot: Spot) -> FileError {
        FileError(operation, display(spot), negated: -Int(errno))
    }

    private func display(_ spot: Spot) -> String { root.display(spot.path) }
}

/// -1 with errno set, for a shim's negated errno: as the calls beside it answer.
private func negated(_ result: CInt) -> CInt {
    guard result < 0 else { return result }
    errno = -result
    return -1
}
