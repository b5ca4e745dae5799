import Glibc
import LayerDiff
import OCI

/// The directory of one running build under `tmp/`, under a lock that dies with the process.
///
/// Whoever opens the store next removes the directories whose lock is free: a killed build leaves nothing for long.
public final class WorkDirectory: Sendable {
    /// Where the build's temporary files go.
    public let path: String
    private let lockPath: String
    private let lock: FileLock

    init(in parent: String) throws {
        let name = "\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
        path = "\(parent)/\(name)"
        lockPath = "\(path).lock"
        lock = try FileLock.wait(for: lockPath)
        guard mkdir(path, 0o700) == 0 else { throw HostFileError("create the directory", path, code: errno) }
    }

    deinit {
        removeTree(path)
        unlink(lockPath)
    }

    /// A path below that nobody else uses.
    public func unique(_ name: String) -> String {
        "\(path)/\(name)-\(UInt64.random(in: 0...UInt64.max))"
    }

    /// A new empty directory.
    /// - Throws: ``HostFileError`` where it cannot be made.
    public func makeDirectory(_ name: String, mode: mode_t = 0o755) throws -> String {
        let path = unique(name)
        guard mkdir(path, mode) == 0, chmod(path, mode) == 0 else {
            throw HostFileError("create the directory", path, code: errno)
        }
        return path
    }

    /// Removes the directories under `parent` whose builds are gone.
    static func removeAbandoned(in parent: String) throws {
        let directory = try Directory(path: parent)
        for item in try directory.list(.root) {
            let name = String(decoding: item.name, as: UTF8.self)
            guard name.hasSuffix(".lock") else { continue }
            let lockPath = "\(parent)/\(name)"
            guard let lock = try FileLock.take(ifFree: lockPath) else { continue }
            withExtendedLifetime(lock) {
                removeTree(String(lockPath.dropLast(".lock".count)))
                _ = unlink(lockPath)
            }
        }
    }
}

/// Removes a directory and what is below it, by descriptors: a symbolic link is removed, never followed.
///
/// What cannot be removed stays: the callers clean up, and have nothing better to do about it.
public func removeTree(_ path: String) {
    guard unlink(path) != 0, errno == EISDIR || errno == EPERM else { return }
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    if descriptor >= 0 {
        removeContents(descriptor)
        close(descriptor)
    }
    rmdir(path)
}

private func removeContents(_ directory: CInt) {
    let copy = dup(directory)
    guard copy >= 0 else { return }
    guard let stream = fdopendir(copy) else {
        close(copy)
        return
    }
    defer { closedir(stream) }
    while let item = readdir(stream) {
        withUnsafePointer(to: &item.pointee.d_name) { tuple in
            tuple.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { removeItem($0, in: directory) }
        }
    }
}

private func removeItem(_ name: UnsafePointer<CChar>, in directory: CInt) {
    if strcmp(name, ".") == 0 || strcmp(name, "..") == 0 { return }
    if unlinkat(directory, name, 0) == 0 { return }
    let child = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    if child >= 0 {
        removeContents(child)
        close(child)
    }
    unlinkat(directory, name, AT_REMOVEDIR)
}
