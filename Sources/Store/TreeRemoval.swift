import Glibc

/// Removes a directory and what is below it, by descriptors: a symbolic link is removed, never followed.
///
/// One directory is open at a time, however deep the tree is: a step may have made one that is deeper than the limit on
/// open files, or than a path can be long. What cannot be removed stays: the callers clean up, and have nothing better
/// to do about it.
public func removeTree(_ path: String) {
    if unlink(path) == 0 || (errno != EISDIR && errno != EPERM) { return }
    var directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard directory >= 0 else { return }
    defer { close(directory) }
    var below: [[CChar]] = []
    while true {
        switch removeEntries(of: directory) {
        case .empty:
            guard let name = below.popLast() else {
                rmdir(path)
                return
            }
            let parent = openat(directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard parent >= 0 else { return }
            close(directory)
            directory = parent
            guard unlinkat(directory, name, AT_REMOVEDIR) == 0 else { return }
        case .filledDirectory(let name):
            let child = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard child >= 0 else { return }
            close(directory)
            directory = child
            below.append(name)
        case .failed: return
        }
    }
}

private enum Removal {
    case empty
    case filledDirectory([CChar])
    case failed
}

/// Removes what a directory holds, up to the first directory that holds something itself.
private func removeEntries(of directory: CInt) -> Removal {
    let copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard copy >= 0 else { return .failed }
    guard let stream = fdopendir(copy) else {
        close(copy)
        return .failed
    }
    defer { closedir(stream) }
    while let item = readdir(stream) {
        let name = withUnsafePointer(to: &item.pointee.d_name) { tuple in
            tuple.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { start in
                Array(UnsafeBufferPointer(start: start, count: strlen(start) + 1))
            }
        }
        if strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || unlinkat(directory, name, 0) == 0 { continue }
        guard errno == EISDIR || errno == EPERM else { return .failed }
        if unlinkat(directory, name, AT_REMOVEDIR) == 0 { continue }
        return errno == ENOTEMPTY || errno == EEXIST ? .filledDirectory(name) : .failed
    }
    return .empty
}
