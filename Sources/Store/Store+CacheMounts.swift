import Glibc
import OCI

extension Store {
    /// The directory of a cache mount, made by `prepare` where it is new.
    ///
    /// The directory's name is a digest: an id never becomes part of a path.
    /// - Throws: ``HostFileError`` and what `prepare` throws.
    public func cacheMount(_ identity: String, name: String, prepare: (String) throws -> Void) throws -> String {
        let directory = "\(root)/cache-mounts/\(Digest(of: identity.utf8).hex)"
        let data = "\(directory)/data"
        if HostFile.exists(data) { return data }
        let lock = try lock("cache mount directory \(identity)")
        defer { withExtendedLifetime(lock) {} }
        if HostFile.exists(data) { return data }
        try HostFile.createDirectories(directory)
        try HostFile.write(Array(name.utf8), to: "\(directory)/id")
        let temporary = "\(directory)/new"
        removeTree(temporary)
        guard mkdir(temporary, 0o755) == 0 else { throw HostFileError("create the directory", data, code: errno) }
        try prepare(temporary)
        guard rename(temporary, data) == 0 else { throw HostFileError("rename into place", data, code: errno) }
        return data
    }
}
