import Glibc
import LayerDiff
import OCI
import Synchronization

/// The directory of one running build under `tmp/`, under a lock that dies with the process.
///
/// Whoever opens the store next removes the directories whose lock is free: a killed build leaves nothing for long.
public final class WorkDirectory: Sendable {
    /// Where the build's temporary files go.
    public let path: String
    private let lockPath: String
    /// `nil` as long as there is no directory.
    private let lock = Mutex<FileLock?>(nil)

    /// Makes the directory now, or, where `isLazy`, when something is first to be put there: a build that finds all it
    /// needs makes none.
    init(in parent: String, isLazy: Bool = false) throws {
        let name = "\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
        path = "\(parent)/\(name)"
        lockPath = "\(path).lock"
        if !isLazy { try make() }
    }

    private func make() throws {
        try lock.withLock { lock in
            guard lock == nil else { return }
            let new = try FileLock.wait(for: lockPath)
            guard mkdir(path, 0o700) == 0 else {
                let code = errno
                unlink(lockPath)
                throw HostFileError("create the directory", path, code: code)
            }
            lock = new
        }
    }

    deinit { remove() }

    /// Removes the directory; nobody may be using it any more.
    ///
    /// It goes with its last owner, too: but that may be a thread that the end of the program overtakes.
    public func remove() {
        lock.withLock { lock in
            guard lock != nil else { return }
            removeTree(path)
            // What could not be removed keeps its lock file: the next to open the store tries again.
            if !HostFile.exists(path) { unlink(lockPath) }
            lock = nil
        }
    }

    /// A path below that nobody else uses.
    public func unique(_ name: String) -> String {
        // Where the directory cannot be made, neither can what is to be there, and that is told.
        try? make()
        return "\(path)/\(name)-\(UInt64.random(in: 0...UInt64.max))"
    }

    /// A new empty directory.
    /// - Throws: ``HostFileError`` where it cannot be made.
    public func makeDirectory(_ name: String, mode: mode_t = 0o755) throws -> String {
        try make()
        let path = unique(name)
        guard mkdir(path, mode) == 0, chmod(path, mode) == 0 else {
            throw HostFileError("create the directory", path, code: errno)
        }
        return path
    }

    /// Removes what builds that are gone left under `parent`: whatever has no lock, or one that nobody holds.
    static func removeAbandoned(in parent: String) throws {
        let names = try Directory(path: parent).list(.root).map { String(decoding: $0.name, as: UTF8.self) }
        let locks = Set(names.filter { $0.hasSuffix(".lock") })
        for name in names where !locks.contains(name) && !locks.contains("\(name).lock") {
            // A lock is made before what it covers: what has none by now is nobody's.
            let path = "\(parent)/\(name)"
            if !HostFile.exists("\(path).lock") { removeTree(path) }
        }
        for name in locks.sorted() {
            let lockPath = "\(parent)/\(name)"
            guard let lock = try FileLock.take(ifFree: lockPath) else { continue }
            withExtendedLifetime(lock) {
                let path = String(lockPath.dropLast(".lock".count))
                removeTree(path)
                if !HostFile.exists(path) { _ = unlink(lockPath) }
            }
        }
    }
}
