import Glibc
import LayerDiff
import OCI

/// A cache of `RUN --mount=type=cache` as the store has it.
public struct CacheMountUsage: Sendable, Hashable {
    /// The id of the build file; several caches may have it.
    public var id: String
    /// What tells caches of one id apart: the name of its directory.
    public var key: String
    /// What it takes on the disk, in bytes.
    public var bytes: Int64
    /// When a step was last given it, in seconds since the epoch.
    public var lastUsed: Int64
}

/// Which cache mounts are to go.
public struct CacheMountSelection: Sendable, Hashable {
    /// Of these ids; `nil` for all.
    public var ids: [String]?
    /// Those that no step was given since, in seconds since the epoch; `nil` for whenever.
    public var unusedSince: Int64?
    /// Then those used longest ago, until the others take no more; `nil` for no limit.
    public var mostBytes: Int64?

    /// A selection of these parts.
    public init(ids: [String]? = nil, unusedSince: Int64? = nil, mostBytes: Int64? = nil) {
        self.ids = ids
        self.unusedSince = unusedSince
        self.mostBytes = mostBytes
    }

    /// The caches that go, of all that there are.
    func chosen(from mounts: [CacheMountUsage]) -> [CacheMountUsage] {
        let candidates = mounts.filter { ids?.contains($0.id) ?? true }
        var gone: [CacheMountUsage] = []
        var left = candidates
        if unusedSince != nil || mostBytes == nil {
            let limit = unusedSince ?? .max
            gone = candidates.filter { $0.lastUsed < limit }
            left = candidates.filter { $0.lastUsed >= limit }
        }
        guard let mostBytes else { return gone }
        left.sort { ($0.lastUsed, $0.key) < ($1.lastUsed, $1.key) }
        var total = left.reduce(0) { $0 + $1.bytes }
        for mount in left where total > mostBytes {
            gone.append(mount)
            total -= mount.bytes
        }
        return gone
    }
}

extension Store {
    /// The directory of a cache mount, made by `prepare` where it is new.
    ///
    /// The directory's name is a digest: an id never becomes part of a path.
    /// - Throws: ``HostFileError`` and what `prepare` throws.
    public func cacheMount(_ identity: String, name: String, prepare: (String) throws -> Void) throws -> String {
        let directory = "\(root)/cache-mounts/\(Digest(of: identity.utf8).hex)"
        let data = "\(directory)/data"
        // What du shows and prune goes by.
        defer { utimes(directory, nil) }
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

    /// All cache mounts, in the order of their ids.
    /// - Throws: ``FileError`` where they cannot be read.
    public func cacheMounts() throws -> [CacheMountUsage] {
        let parent = try Directory(path: "\(root)/cache-mounts")
        var mounts: [CacheMountUsage] = []
        for item in try parent.list(.root) where item.status.kind == .directory {
            let path = ContainerPath(cleaning: item.name)
            guard let id = try? parent.openFile(path.appending("id".utf8)) else { continue }
            let name = try withExtendedLifetime(id) {
                try HostFile.read(descriptor: id.raw, named: "the id of a cache", limit: 1 << 16)
            }
            mounts.append(
                CacheMountUsage(
                    id: String(decoding: name, as: UTF8.self),
                    key: String(decoding: item.name, as: UTF8.self),
                    bytes: try Self.size(of: path, in: parent),
                    lastUsed: item.status.modified.seconds
                )
            )
        }
        return mounts.sorted { ($0.id, $0.key) < ($1.id, $1.key) }
    }

    /// Removes cache mounts; waits for running builds, which may use them.
    /// - Returns: The bytes that were freed.
    /// - Throws: ``FileError`` or ``HostFileError``.
    public func pruneCacheMounts(_ selection: CacheMountSelection) throws -> Int64 {
        let lock = try FileLock.wait(for: "\(root)/locks/use")
        defer { withExtendedLifetime(lock) {} }
        let chosen = selection.chosen(from: try cacheMounts())
        let work = try makeWorkDirectory()
        for mount in chosen {
            // Renamed first: whoever is killed here leaves no half of a cache.
            let path = "\(root)/cache-mounts/\(mount.key)"
            guard rename(path, work.unique("cache")) == 0 else { throw HostFileError("remove", path, code: errno) }
        }
        return chosen.reduce(0) { $0 + $1.bytes }
    }
}
