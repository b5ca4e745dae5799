import Glibc
import SystemPackage

/// Removes trees, one open directory at a time however deep they are, and never through a symlink.
enum TreeRemoval {
    /// Removes what is at `path` in `root`, with all that is beneath it, except for what `keep` names.
    static func remove(
        _ path: ContainerPath,
        in root: Directory,
        keeping keep: (ContainerPath) -> Bool = { _ in false }
    ) throws(FileError) {
        guard let parentPath = path.parent else { return try removeChildren(of: path, in: root, keeping: keep) }
        let parent: Directory
        do throws(FileError) {
            parent = try root.directory(parentPath)
        } catch {
            // There is nothing beneath what does not exist or is no directory.
            if [.noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels].contains(error.errno) { return }
            throw error
        }
        if keep(path) && !isDirectory(Array(path.name), in: parent) { return }
        guard try unlink(Array(path.name), in: parent) == .isDirectory else { return }
        try removeChildren(of: path, in: root, keeping: keep)
        if !keep(path) { try removeEmpty(path, in: parent) }
    }

    /// Removes what is in the directory at `path`, except for what `keep` names; what it names is kept with all the
    /// directories above it.
    static func removeChildren(
        of path: ContainerPath,
        in root: Directory,
        keeping keep: (ContainerPath) -> Bool = { _ in false }
    ) throws(FileError) {
        var pending = [(path: path, isEmptied: false)]
        while let (directoryPath, isEmptied) = pending.popLast() {
            if isEmptied {
                if directoryPath != path, !keep(directoryPath), let parent = directoryPath.parent {
                    try removeEmpty(directoryPath, in: root.directory(parent))
                }
                continue
            }
            pending.append((directoryPath, true))
            let directory = try root.directory(directoryPath)
            for name in try directory.names() {
                let child = ContainerPath(parent: directoryPath, name: name)
                if keep(child) && !isDirectory(name, in: directory) { continue }
                if try unlink(name, in: directory) == .isDirectory { pending.append((child, false)) }
            }
        }
    }

    private enum Outcome {
        case isGone, isDirectory
    }

    private static func unlink(_ name: [UInt8], in directory: Directory) throws(FileError) -> Outcome {
        let result = withCString(name) { unlinkat(directory.rawDescriptor, $0, 0) }
        if result == 0 || errno == ENOENT { return .isGone }
        if errno == EISDIR { return .isDirectory }
        throw FileError("remove", directory.display(ContainerPath(clean: name)), negated: -Int(errno))
    }

    private static func removeEmpty(_ path: ContainerPath, in parent: Directory) throws(FileError) {
        let result = withCString(path.name) { unlinkat(parent.rawDescriptor, $0, AT_REMOVEDIR) }
        if result == 0 || errno == ENOENT { return }
        throw FileError("remove", parent.display(ContainerPath(clean: Array(path.name))), negated: -Int(errno))
    }

    private static func isDirectory(_ name: [UInt8], in directory: Directory) -> Bool {
        guard case .success(let status) = withCString(name, { FileStatus.read(directory.rawDescriptor, $0) }) else {
            return false
        }
        return status.kind == .directory
    }
}
