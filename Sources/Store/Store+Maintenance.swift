import Glibc
import LayerDiff
import OCI
import Synchronization
import SystemPackage

/// What one part of the store takes.
public struct PartUsage: Sendable, Hashable {
    /// The part's directory.
    public var name: String
    /// How many things it holds.
    public var count: Int
    /// What they take on the disk, in bytes.
    public var bytes: Int64
}

extension Store {
    /// What each part of the store takes.
    /// - Throws: ``FileError`` where a part cannot be read.
    public func diskUsage() throws -> [PartUsage] {
        try usage(withoutShared: false)
    }

    /// The same; `withoutShared`, blobs that layouts have in common with the store, which stay when the store's name goes,
    /// take nothing.
    private func usage(withoutShared: Bool) throws -> [PartUsage] {
        let parts = [
            "images", "layers", "indexes", "pieces", "cache-mounts", "downloads", "incoming", "git", "contexts", "logs",
            "tmp",
        ]
        return try parts.map { name in
            let directory = try Directory(path: "\(root)/\(name)")
            let items = try directory.list(.root)
            var bytes = try Self.size(of: .root, in: directory)
            guard name == "images" else { return PartUsage(name: name, count: items.count, bytes: bytes) }
            let blobs = try directory.list(ContainerPath("blobs/sha256"))
            if withoutShared {
                for blob in blobs where blob.status.linkCount > 1 { bytes -= Int64(blob.status.blocks) * 512 }
            }
            return PartUsage(name: name, count: blobs.count, bytes: bytes)
        }
    }

    static func size(of path: ContainerPath, in directory: Directory) throws -> Int64 {
        let items: [DirectoryItem]
        do throws(FileError) {
            items = try directory.list(path)
        } catch {
            switch error.errno {
            // A step that runs, or has just ended, takes things away meanwhile, or puts others in their place.
            case .noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels: return 0
            // A step may make a tree deeper than any path is long: what is down there is not counted.
            case .fileNameTooLong: return 0
            default: throw error
            }
        }
        var total: Int64 = 0
        for item in items {
            total += Int64(item.status.blocks) * 512
            if item.status.kind == .directory { total += try size(of: path.appending(item.name), in: directory) }
        }
        return total
    }

    /// Frees what nothing uses: images without a name, cache entries and cache mounts not used lately, and the layers,
    /// blobs, indexes and logs that are then left.
    ///
    /// With `nil`, the whole cache and all cache mounts go.
    /// - Returns: The bytes that were freed.
    /// - Throws: ``DatabaseError``, ``DocumentError``, ``FileError`` or ``HostFileError``.
    public func prune(keepingHours hours: Int?) throws -> Int64 {
        let freed = try pruneCacheMounts(CacheMountSelection(unusedSince: hours.map { Self.now - Int64($0) * 3600 }))
        return try freed + prune(keepingSeconds: hours.map { Int64($0) * 3600 })
    }

    /// The same, but for the cache mounts, which stay.
    /// - Returns: The bytes that were freed.
    /// - Throws: ``DatabaseError``, ``DocumentError``, ``FileError`` or ``HostFileError``.
    public func prune(keepingSeconds seconds: Int64?) throws -> Int64 {
        // Waits for running builds; those that begin now wait for this.
        let lock = try FileLock.wait(for: "\(root)/locks/use")
        defer { withExtendedLifetime(lock) {} }
        let before = try usage(withoutShared: true).reduce(0) { $0 + $1.bytes }
        let limit = seconds.map { Self.now - $0 } ?? Int64.max
        try database.transaction([
            ("DELETE FROM steps WHERE used < ?", [.integer(limit)]),
            ("DELETE FROM selections WHERE used < ?", [.integer(limit)]),
            ("DELETE FROM downloads WHERE used < ?", [.integer(limit)]),
            ("DELETE FROM blob_sources WHERE used < ?", [.integer(limit)]),
        ])
        let named = try namedBlobs()
        try images.updateIndex { index in
            index.manifests.removeAll { $0.annotations[ImageLayout.referenceName] == nil }
        }
        let kept = try keptLayers(named: named, usedSince: limit)
        try dropLayers(except: kept)
        try removeFiles(named: named, kept: kept)
        // Nothing comes while this has its lock: what is there was broken off.
        try remove("incoming") { _ in false }
        let downloads = try keptDownloads()
        try remove("downloads") { downloads.contains($0) }
        try removeRepositories(before: limit)
        try removeOldLogs(before: seconds.map { Self.now - $0 } ?? Self.now)
        return max(0, before - (try usage(withoutShared: true).reduce(0) { $0 + $1.bytes }))
    }

    /// The blobs that named images consist of.
    private func namedBlobs() throws -> Set<Digest> {
        var result: Set<Digest> = []
        var waiting = try images.index().manifests.filter { $0.annotations[ImageLayout.referenceName] != nil }
        // What such an image needs is not known: nothing of it must go before somebody has decided.
        for entry in waiting where !HostFile.exists(images.blobPath(entry.digest)) {
            throw StoreError.incompleteImage(entry.annotations[ImageLayout.referenceName] ?? "", entry.digest)
        }
        while let entry = waiting.popLast() {
            guard result.insert(entry.digest).inserted else { continue }
            // An index may name images for other platforms that were never fetched.
            if entry.mediaType.isIndex, HostFile.exists(images.blobPath(entry.digest)) {
                waiting += try ImageIndex(parsing: images.document(entry), as: "index \(entry.digest)").manifests
            }
            guard entry.mediaType.isManifest, HostFile.exists(images.blobPath(entry.digest)) else { continue }
            let manifest = try ImageManifest(parsing: images.document(entry), as: "manifest \(entry.digest)")
            result.insert(manifest.config.digest)
            for layer in manifest.layers { result.insert(layer.digest) }
        }
        return result
    }

    /// The layers that cache entries or named images use.
    private func keptLayers(named: Set<Digest>, usedSince limit: Int64) throws -> Set<String> {
        var kept: Set<String> = []
        let steps = try database.query("SELECT DISTINCT diff_id FROM steps WHERE diff_id IS NOT NULL")
        for row in steps {
            if let hex = row[0].text { kept.insert(hex) }
        }
        for row in try database.query("SELECT diff_id, digest FROM layers") {
            guard let id = row[0].text, let digest = row[1].text else { continue }
            if named.contains(try Digest(parsing: "sha256:\(digest)")) { kept.insert(id) }
        }
        // The layers below a cached step belong to it: its chain is of no use without them. Builds use them together.
        guard !steps.isEmpty else { return kept }
        let rows = try database.query("SELECT diff_id FROM layers WHERE used >= ?", [.integer(limit - Self.useGrain)])
        for row in rows {
            if let hex = row[0].text { kept.insert(hex) }
        }
        return kept
    }

    private func dropLayers(except kept: Set<String>) throws {
        var statements: [(text: String, values: [DatabaseValue])] = []
        for row in try database.query("SELECT diff_id FROM layers") {
            guard let hex = row[0].text, !kept.contains(hex) else { continue }
            statements.append(("DELETE FROM layers WHERE diff_id = ?", [.text(hex)]))
            statements.append(("DELETE FROM leak_checks WHERE diff_id = ?", [.text(hex)]))
            statements.append(("DELETE FROM variants WHERE source = ? OR diff_id = ?", [.text(hex), .text(hex)]))
        }
        statements.append(("DELETE FROM verified WHERE digest NOT IN (SELECT digest FROM layers)", []))
        try database.transaction(statements)
        forgetLayers()
    }

    private func removeFiles(named: Set<Digest>, kept: Set<String>) throws {
        var blobs = Set(named.map(\.hex))
        for row in try database.query("SELECT digest FROM layers") {
            if let hex = row[0].text { blobs.insert(hex) }
        }
        try remove("images/blobs/sha256") { blobs.contains($0) }
        try remove("pieces") { blobs.contains($0) }
        try remove("indexes") { kept.contains($0) }
        // Directories named by a ChainID cannot be told apart from stale ones: they are unpacked again when needed.
        try remove("layers") { kept.contains($0) }
    }

    private func remove(_ part: String, unless isKept: (String) -> Bool) throws {
        for item in try Directory(path: "\(root)/\(part)").list(.root) {
            let name = String(decoding: item.name, as: UTF8.self)
            if !isKept(name) { removeTree("\(root)/\(part)/\(name)") }
        }
    }

    private func removeOldLogs(before limit: Int64) throws {
        for item in try Directory(path: "\(root)/logs").list(.root) where item.status.modified.seconds < limit {
            removeTree("\(root)/logs/\(String(decoding: item.name, as: UTF8.self))")
        }
    }
}
