import Glibc
import LayerDiff
import OCI

/// A git repository of the store, under a lock as long as the value lives.
public final class StoredRepository: Sendable {
    /// The repository's directory; it need not exist yet.
    public let path: String
    private let lock: FileLock

    init(path: String, lock: FileLock) {
        self.path = path
        self.lock = lock
    }

    /// Begins anew: removes all that is there.
    public func clear() { removeTree(path) }
}

extension Store {
    /// The repository that keeps what was fetched from a remote, for this caller alone; waits for other users of it.
    ///
    /// The directory's name is a digest: a remote never becomes part of a path.
    /// - Throws: ``HostFileError`` where the lock cannot be had.
    public func repository(of remote: String) throws(HostFileError) -> StoredRepository {
        let name = Digest(of: remote.utf8).hex
        let lock = try lock("git repository \(name)")
        let path = "\(root)/git/\(name)"
        // What prune goes by.
        utimes(path, nil)
        return StoredRepository(path: path, lock: lock)
    }

    /// Removes the repositories that were not used since a moment.
    func removeRepositories(before limit: Int64) throws {
        for item in try Directory(path: "\(root)/git").list(.root) where item.status.modified.seconds < limit {
            removeTree("\(root)/git/\(String(decoding: item.name, as: UTF8.self))")
        }
    }
}
