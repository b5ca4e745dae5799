import Glibc
import LayerDiff
import OCI
import SystemPackage

/// Why cache mounts could not be packed up or brought back.
public enum CacheArchiveError: Error, Sendable, Hashable, CustomStringConvertible {
    /// There is no cache of that id.
    case unknown(id: String)
    /// There is no cache at all.
    case none
    /// The archive holds something that is no part of a cache.
    case foreign(name: String, expected: String)
    /// It cannot be read to its end.
    case unreadable(path: String)

    /// One sentence: what is wrong, and what to do.
    public var description: String {
        switch self {
        case .unreadable(let path):
            "\(path) is no archive that 'swbuild cache export' made, or not all of one: bring it here once more"
        case .unknown(let id): "there is no cache mount with the id `\(id)`; 'swbuild du' lists those that are there"
        case .none: "there are no cache mounts to export"
        case .foreign(let name, let expected):
            "the archive was not made by 'swbuild cache export': \(name) is not \(expected)"
        }
    }
}

extension Store {
    /// Writes cache mounts as a tar with owners, modes, times in seconds and extended attributes; waits for running
    /// builds.
    ///
    /// Each is a directory by its key, with a file `id` and its content in `data`. Sockets and device nodes are left out.
    /// - Returns: What was written.
    /// - Throws: ``CacheArchiveError``, ``LayerError``, ``FileError`` or ``HostFileError``.
    public func exportCacheMounts(
        ids: [String],
        to output: CInt,
        compression: BlobCompression
    ) throws -> [CacheMountUsage] {
        let lock = try FileLock.wait(for: "\(root)/locks/use")
        defer { withExtendedLifetime(lock) {} }
        let all = try cacheMounts()
        for id in ids where !all.contains(where: { $0.id == id }) { throw CacheArchiveError.unknown(id: id) }
        let chosen = all.filter { ids.isEmpty || ids.contains($0.id) }.sorted { $0.key < $1.key }
        guard !chosen.isEmpty else { throw CacheArchiveError.none }
        var entries: [LayerEntry] = []
        for mount in chosen { entries += try self.entries(of: mount) }
        let layer: LayerCompression =
            switch compression {
            case .none: .none
            case .gzip: .gzip
            case .zstd: .zstd(level: 3)
            }
        let blob = FileDescriptor(rawValue: output)
        _ = try LayerWriter.begin(entries, blob: blob, options: LayerOptions(compression: layer)).finish()
        return chosen
    }

    private func entries(of mount: CacheMountUsage) throws -> [LayerEntry] {
        let top = ContainerPath(mount.key)
        let id = Array(mount.id.utf8)
        func entry(_ path: ContainerPath, _ kind: TreeEntry.Kind, _ mode: UInt16) -> TreeEntry {
            TreeEntry(path: path, kind: kind, mode: mode, uid: 0, gid: 0, modified: mount.lastUsed)
        }
        let data = top.appending("data".utf8)
        let directory = try Directory(path: "\(root)/cache-mounts/\(mount.key)/data")
        var rootEntry = entry(data, .directory(opaque: false), 0o755)
        if let status = try directory.status(.root) {
            rootEntry.mode = status.mode
            (rootEntry.uid, rootEntry.gid) = (status.uid, status.gid)
            rootEntry.modified = status.modified.seconds
        }
        let attributes = try directory.extendedAttributes(.root)
        rootEntry.attributes = attributes.filter { attribute in
            attribute.name.starts(with: "user.".utf8)
                && !["user.overlay.", "user.swbuild."].contains { attribute.name.starts(with: $0.utf8) }
        }
        if form.marksOwners {
            let mark = attributes.first { $0.name.elementsEqual(OwnerMark.name.utf8) }
            let owner = mark.flatMap { OwnerMark.owner(of: $0.value) } ?? .root
            (rootEntry.uid, rootEntry.gid) = (owner.uid, owner.gid)
        }
        var result = [
            LayerEntry(entry: entry(top, .directory(opaque: false), 0o755)),
            LayerEntry(entry: rootEntry),
        ]
        for change in try UpperDirectory.changes(in: directory, above: LayerStack([]), form: form)
        where !change.entry.path.isRoot {
            var moved = change
            moved.entry.path = data.appending(change.entry.path.bytes)
            switch change.entry.kind {
            case .hardLink(let target): moved.entry.kind = .hardLink(target: data.appending(target.bytes))
            case .characterDevice, .blockDevice, .whiteout: continue
            case .directory: moved.entry.kind = .directory(opaque: false)
            case .file, .symlink, .fifo: break
            }
            result.append(moved)
        }
        let name = entry(top.appending("id".utf8), .file(size: Int64(id.count)), 0o644)
        result.append(LayerEntry(entry: name, content: id.isEmpty ? .none : .bytes(id)))
        return result
    }

    /// Brings exported cache mounts back, in place of those of the same keys; waits for running builds.
    ///
    /// The archive is unpacked in a work directory, confined to it, and taken only if all of it is caches.
    /// - Returns: What was brought back.
    /// - Throws: ``CacheArchiveError``, ``LayerError``, ``FileError`` or ``HostFileError``.
    public func importCacheMounts(from path: String) throws -> [CacheMountUsage] {
        let raw = open(path, O_RDONLY | O_CLOEXEC)
        guard raw >= 0 else { throw HostFileError("open", path, code: errno) }
        let input = OwnedDescriptor(owning: raw, path: path)
        let work = try makeWorkDirectory()
        defer { withExtendedLifetime(work) {} }
        let unpacked = try work.makeDirectory("import", mode: 0o700)
        let directory = try Directory(path: unpacked)
        let options = ApplyOptions(form: .flat, marksOwners: form.marksOwners)
        do {
            _ = try input.withDescriptor { try LayerReader.apply($0, to: directory, options: options) }
        } catch let error as LayerError {
            switch error.reason {
            case .truncated, .corrupt: throw CacheArchiveError.unreadable(path: path)
            default: throw error
            }
        }
        let keys = try directory.list(.root).map { try Self.checkedKey($0, in: directory) }
        let lock = try FileLock.wait(for: "\(root)/locks/use")
        defer { withExtendedLifetime(lock) {} }
        for key in keys {
            let target = "\(root)/cache-mounts/\(key)"
            if HostFile.exists(target), rename(target, work.unique("replaced")) != 0 {
                throw HostFileError("replace", target, code: errno)
            }
            guard chmod("\(unpacked)/\(key)", 0o755) == 0, rename("\(unpacked)/\(key)", target) == 0 else {
                throw HostFileError("rename into place", target, code: errno)
            }
            utimes(target, nil)
        }
        return try cacheMounts().filter { keys.contains($0.key) }
    }

    /// The key of a cache in an unpacked archive, which has nothing else.
    private static func checkedKey(_ item: DirectoryItem, in directory: Directory) throws -> String {
        let name = String(decoding: item.name, as: UTF8.self)
        let isKey =
            item.name.count == 64 && item.name.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        guard isKey, item.status.kind == .directory else {
            throw CacheArchiveError.foreign(name: name, expected: "the directory of a cache")
        }
        let expected: [String: FileKind] = ["data": .directory, "id": .file]
        let parts = try directory.list(ContainerPath(cleaning: item.name))
        for part in parts {
            let partName = String(decoding: part.name, as: UTF8.self)
            guard expected[partName] == part.status.kind, part.status.kind == .directory || part.status.size <= 4096
            else { throw CacheArchiveError.foreign(name: "\(name)/\(partName)", expected: "a cache's `id` or `data`") }
        }
        guard parts.count == expected.count else {
            throw CacheArchiveError.foreign(name: name, expected: "a cache with its `id` and `data`")
        }
        return name
    }
}
