import Glibc
import LayerDiff
import OCI
import Synchronization

/// The state directory: blobs, unpacked layers, the step cache, the work directories of running builds.
///
/// `docs/architecture.md` describes its parts. Files are complete before a record names them, so that a process may be
/// killed at any moment.
public final class Store: Sendable {
    /// The directory, absolute.
    public let root: String
    /// The images: a layout that any OCI tool can read.
    public let images: ImageLayout
    /// What the unpacked layers look like.
    public let form: OverlayForm
    let database: Database
    let indexes = Mutex<[DiffID: LayerIndex]>([:])
    private let known = Mutex<[DiffID: LayerRecord]>([:])
    /// The layers that only images speak of so far.
    private let unread = Mutex<Set<DiffID>>([])
    /// The unpacked layers that were seen, by their names: a build that sees one keeps others from removing it.
    let opened = Mutex<[String: LayerPlace]>([:])
    /// Whether layers are unpacked as images.
    let imaging: LayerImaging
    /// The blobs that came since the disk was last waited for.
    private let newBlobs = Mutex<[Digest]>([])
    /// The blobs that this process hashed while it wrote them.
    private let freshBlobs = Mutex<Set<Digest>>([])

    /// Opens the state directory, creating what is missing and removing what killed builds left.
    ///
    /// What this process can do with files, and which ids it has, must be what it was when the directory was made.
    /// - Parameters:
    ///   - root: The directory.
    ///   - owner: Who makes it, and may use it.
    ///   - tryLower: Whether a step's overlay can have a path as its lower directory, tried with the help of an empty
    ///     directory; layers become images only where it can. Without it, they become directories.
    /// - Throws: ``ForeignStore``, ``HostFileError`` or ``DatabaseError``.
    public init(root: String, owner: StoreOwner = .machine, imagesIf tryLower: LowerTrial? = nil) throws {
        try Self.makeRoom(root)
        guard let resolved = realpath(root, nil) else { throw HostFileError("find", root, code: errno) }
        self.root = String(cString: resolved)
        free(resolved)
        form = owner.form
        imaging = LayerImaging(record: "\(self.root)/erofs", tryLower: owner.form == .trusted ? tryLower : nil)
        try owner.claim(self.root)
        for name in [
            "layers", "indexes", "pieces", "tmp", "locks", "logs", "contexts", "cache-mounts", "seccomp", "downloads",
            "git",
            "incoming", "images", "images/blobs",
        ] {
            try Self.makeRoom("\(self.root)/\(name)")
        }
        // Layers hold set-user-ID programs and whatever else is in images: nobody else is to reach them.
        chmod(self.root, 0o700)
        images = try ImageLayout(creating: "\(self.root)/images")
        // Switching a new database to its journal mode is the one thing that SQLite does not wait for.
        let lock = try FileLock.wait(for: "\(self.root)/locks/open")
        defer { withExtendedLifetime(lock) {} }
        database = try Database(path: "\(self.root)/cache.sqlite", schema: Self.schema)
        try WorkDirectory.removeAbandoned(in: "\(self.root)/tmp")
    }

    /// Makes a directory of the store where there is none.
    private static func makeRoom(_ path: String) throws {
        guard !HostFile.exists(path) else { return }
        try HostFile.createDirectories(path)
        try Directory(path: path).spreadSubdirectories()
    }

    /// The fields of a step may be long: they come last, so that who does not want them need not read past them, and the
    /// table has row numbers, since SQLite reads the whole of a row in a tree of keys to compare it with another.
    private static let schema = """
        CREATE TABLE IF NOT EXISTS layers (
            diff_id TEXT PRIMARY KEY, digest TEXT NOT NULL, size INTEGER NOT NULL, compression TEXT NOT NULL,
            tree TEXT, used INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS steps (
            key TEXT NOT NULL, parent TEXT NOT NULL, definition TEXT NOT NULL, diff_id TEXT, created INTEGER NOT NULL,
            seconds REAL NOT NULL, used INTEGER NOT NULL, fields BLOB NOT NULL,
            PRIMARY KEY (key, parent));
        CREATE INDEX IF NOT EXISTS steps_definition ON steps (definition, used);
        CREATE TABLE IF NOT EXISTS selections (
            name TEXT PRIMARY KEY, digest TEXT NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS variants (
            source TEXT NOT NULL, compression TEXT NOT NULL, latest TEXT NOT NULL, diff_id TEXT NOT NULL,
            PRIMARY KEY (source, compression, latest)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS downloads (
            url TEXT PRIMARY KEY, digest TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT, last_modified TEXT,
            modified INTEGER, name TEXT, used INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS leak_checks (
            diff_id TEXT NOT NULL, patterns TEXT NOT NULL, PRIMARY KEY (diff_id, patterns)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS verified (digest TEXT PRIMARY KEY, stamp TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS blob_sources (
            digest TEXT NOT NULL, repository TEXT NOT NULL, used INTEGER NOT NULL,
            PRIMARY KEY (digest, repository)) WITHOUT ROWID;
        """

    /// Where the compiled system call filter is kept, so that a build need not compile it again.
    public var seccompDirectory: String { "\(root)/seccomp" }

    /// A directory for a build that begins; where `isLazy`, it is made when something is first to be put there.
    /// - Throws: ``HostFileError`` where it cannot be made.
    public func makeWorkDirectory(isLazy: Bool = false) throws -> WorkDirectory {
        try WorkDirectory(in: "\(root)/tmp", isLazy: isLazy)
    }

    /// Waits for a lock by name; other processes and other steps of this one wait for each other so.
    /// - Throws: ``HostFileError`` where it cannot be had.
    public func lock(_ name: String) throws(HostFileError) -> FileLock {
        try FileLock.wait(for: name, in: namedLocks)
    }

    /// Keeps `prune` from taking away what a build is using, as long as the value lives.
    /// - Throws: ``HostFileError`` where it cannot be had.
    public func holdForBuild() throws(HostFileError) -> FileLock {
        try FileLock.wait(for: "\(root)/locks/use", shared: true)
    }

    /// Takes a lock by name if nobody has it; `nil` otherwise.
    /// - Throws: ``HostFileError`` where it cannot be had.
    public func lockIfFree(_ name: String) throws(HostFileError) -> FileLock? {
        try FileLock.take(ifFree: name, in: namedLocks)
    }

    private var namedLocks: String { "\(root)/locks/names" }

    /// The time in whole seconds, as file systems tell it.
    public static var now: Int64 { Int64(time(nil)) }
    /// Notes of use are no finer than this many seconds, so that a build that finds all it needs writes next to nothing.
    static let useGrain: Int64 = 3600

    /// Notes that a row was used now, where the last such note is old: what builds use is the last to be pruned.
    func noteUse(_ table: String, where condition: String, _ values: [DatabaseValue], last: Int64?) throws {
        guard let last, last < Self.now - Self.useGrain else { return }
        try database.query("UPDATE \(table) SET used = ? WHERE \(condition)", [.integer(Self.now)] + values)
    }

    // MARK: Steps

    /// What came of a step before, where its layer is still there.
    /// - Throws: ``DatabaseError``.
    public func record(of identity: StepIdentity) throws -> StepRecord? {
        let name: [DatabaseValue] = [.text(identity.key.hex), .text(identity.parent?.digest.hex ?? "")]
        let rows = try database.query(
            "SELECT diff_id, created, seconds, fields, used FROM steps WHERE key = ? AND parent = ?",
            name
        )
        guard let row = rows.first, let created = row[1].integer else { return nil }
        var diffID: DiffID?
        if let hex = row[0].text {
            let id = DiffID(try Digest(parsing: "sha256:\(hex)"))
            guard try layer(id) != nil else { return nil }
            diffID = id
        }
        try noteUse("steps", where: "key = ? AND parent = ?", name, last: row[4].integer)
        return StepRecord(
            identity: identity,
            diffID: diffID,
            created: created,
            seconds: row[2].real ?? 0,
            fields: row[3].blob ?? []
        )
    }

    /// The layer that a step left before, where it is still there, without the fields that explain a miss.
    /// - Throws: ``DatabaseError``.
    public func hit(_ identity: StepIdentity) throws -> StepHit? {
        let name: [DatabaseValue] = [.text(identity.key.hex), .text(identity.parent?.digest.hex ?? "")]
        let rows = try database.query(
            "SELECT diff_id, created, used FROM steps WHERE key = ? AND parent = ?",
            name
        )
        guard let row = rows.first, let hex = row[0].text, let created = row[1].integer else { return nil }
        let diffID = DiffID(try Digest(parsing: "sha256:\(hex)"))
        guard try layer(diffID) != nil else { return nil }
        try noteUse("steps", where: "key = ? AND parent = ?", name, last: row[2].integer)
        return StepHit(diffID: diffID, created: created)
    }

    /// Records of the same definition with whatever contents and parents, the last used first.
    /// - Throws: ``DatabaseError``.
    public func records(ofDefinition definition: Digest, limit: Int) throws -> [StepRecord] {
        let rows = try database.query(
            """
            SELECT key, parent, diff_id, created, seconds, fields FROM steps WHERE definition = ?
            ORDER BY used DESC, key LIMIT ?
            """,
            [.text(definition.hex), .integer(Int64(limit))]
        )
        return try rows.compactMap { row in
            guard let key = row[0].text, let parent = row[1].text, let created = row[3].integer else { return nil }
            return StepRecord(
                identity: StepIdentity(
                    key: try Digest(parsing: "sha256:\(key)"),
                    definition: definition,
                    parent: parent.isEmpty ? nil : ChainID(try Digest(parsing: "sha256:\(parent)"))
                ),
                diffID: try row[2].text.map { DiffID(try Digest(parsing: "sha256:\($0)")) },
                created: created,
                seconds: row[4].real ?? 0,
                fields: row[5].blob ?? []
            )
        }
    }

    /// Keeps what came of a step.
    ///
    /// The layer must be in the store already.
    /// - Throws: ``DatabaseError``.
    public func insert(_ record: StepRecord) throws {
        let insertion = Self.insertion(of: record)
        try database.query(insertion.text, insertion.values)
    }

    /// Keeps what came of a step together with its layer, whose blob must be in place already.
    /// - Throws: ``DatabaseError``.
    public func insert(_ record: StepRecord, layer: LayerRecord, tree: Digest) throws {
        let statements = [Self.insertion(of: layer, tree: tree), Self.insertion(of: record), verification(of: layer)]
        try database.transaction(statements.compactMap { $0 })
        noteNew(layer)
    }

    private static func insertion(of record: StepRecord) -> (text: String, values: [DatabaseValue]) {
        (
            """
            INSERT OR REPLACE INTO steps (key, parent, definition, diff_id, created, seconds, fields, used)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .text(record.identity.key.hex), .text(record.identity.parent?.digest.hex ?? ""),
                .text(record.identity.definition.hex), record.diffID.map { .text($0.digest.hex) } ?? .null,
                .integer(record.created), .real(record.seconds), .blob(record.fields), .integer(now),
            ]
        )
    }

    /// Notes that a build used these steps, so that they are the last to be pruned.
    /// - Throws: ``DatabaseError``.
    public func touch(_ identities: [StepIdentity]) throws {
        guard !identities.isEmpty else { return }
        try database.transaction(
            identities.map { identity in
                (
                    "UPDATE steps SET used = ? WHERE key = ? AND parent = ?",
                    [.integer(Self.now), .text(identity.key.hex), .text(identity.parent?.digest.hex ?? "")]
                )
            }
        )
    }

    // MARK: Selections

    /// The digest of what a COPY or mount took from a stage, where that was computed before.
    /// - Throws: ``DatabaseError``.
    public func selectionDigest(_ name: Digest) throws -> Digest? {
        let rows = try database.query("SELECT digest, used FROM selections WHERE name = ?", [.text(name.hex)])
        guard let row = rows.first, let hex = row[0].text else { return nil }
        try noteUse("selections", where: "name = ?", [.text(name.hex)], last: row[1].integer)
        return try Digest(parsing: "sha256:\(hex)")
    }

    /// Keeps the digest of a selection.
    /// - Throws: ``DatabaseError``.
    public func insertSelection(_ name: Digest, digest: Digest) throws {
        try database.query(
            "INSERT OR REPLACE INTO selections (name, digest, used) VALUES (?, ?, ?)",
            [.text(name.hex), .text(digest.hex), .integer(Self.now)]
        )
    }

    // MARK: Layer records

    /// Forgets what was read of layers, after some were removed.
    func forgetLayers() {
        known.withLock { $0 = [:] }
        unread.withLock { $0 = [] }
        indexes.withLock { $0 = [:] }
        opened.withLock { $0 = [:] }
    }

    // MARK: Layers that nobody has read

    /// Whether a layer is here by the word of an image alone.
    func isUnread(_ diffID: DiffID) -> Bool { unread.withLock { $0.contains(diffID) } }

    /// Takes an image's word for a layer: this process does, and nobody else, until it was read.
    func believe(_ record: LayerRecord) {
        _ = unread.withLock { $0.insert(record.diffID) }
        known.withLock { $0[record.diffID] = record }
        newBlobs.withLock { $0.append(record.digest) }
    }

    /// Forgets that a blob is the layer, since it is not.
    func disbelieve(_ diffID: DiffID, of blob: Digest) throws {
        _ = unread.withLock { $0.remove(diffID) }
        known.withLock { $0[diffID] = nil }
        try database.query(
            "DELETE FROM layers WHERE diff_id = ? AND digest = ?",
            [.text(diffID.digest.hex), .text(blob.hex)]
        )
    }

    /// What is known of a layer, where its blob is there and has the right size.
    /// - Throws: ``DatabaseError``.
    public func layer(_ diffID: DiffID) throws -> LayerRecord? {
        if let record = known.withLock({ $0[diffID] }) { return record }
        let rows = try database.query(
            "SELECT digest, size, compression, used FROM layers WHERE diff_id = ?",
            [.text(diffID.digest.hex)]
        )
        guard let row = rows.first, let hex = row[0].text, let size = row[1].integer,
            let compression = row[2].text.flatMap(BlobCompression.init(rawValue:))
        else { return nil }
        let record = LayerRecord(
            diffID: diffID,
            digest: try Digest(parsing: "sha256:\(hex)"),
            size: size,
            compression: compression
        )
        var information = stat()
        guard stat(images.blobPath(record.digest), &information) == 0, information.st_size == size else { return nil }
        try noteUse("layers", where: "diff_id = ?", [.text(diffID.digest.hex)], last: row[3].integer)
        known.withLock { $0[diffID] = record }
        return record
    }

    /// Keeps a layer's record.
    ///
    /// Its blob must be in place already.
    /// - Throws: ``DatabaseError``.
    public func insert(_ record: LayerRecord, tree: Digest?) throws {
        try database.transaction([Self.insertion(of: record, tree: tree), verification(of: record)].compactMap { $0 })
        noteNew(record)
    }

    private static func insertion(of record: LayerRecord, tree: Digest?) -> (text: String, values: [DatabaseValue]) {
        (
            "INSERT OR REPLACE INTO layers (diff_id, digest, size, compression, tree, used) VALUES (?, ?, ?, ?, ?, ?)",
            [
                .text(record.diffID.digest.hex), .text(record.digest.hex), .integer(record.size),
                .text(record.compression.rawValue), tree.map { .text($0.hex) } ?? .null, .integer(now),
            ]
        )
    }

    /// Notes that a blob has come, which has to be on the disk before an image is named that needs it.
    func noteArrival(_ digest: Digest) { newBlobs.withLock { $0.append(digest) } }

    private func noteNew(_ record: LayerRecord) {
        _ = unread.withLock { $0.remove(record.diffID) }
        known.withLock { $0[record.diffID] = record }
        newBlobs.withLock { $0.append(record.digest) }
        _ = freshBlobs.withLock { $0.insert(record.digest) }
    }

    /// Whether this process itself hashed the blob when it wrote it, so that it need not be hashed again.
    func isFresh(_ digest: Digest) -> Bool { freshBlobs.withLock { $0.contains(digest) } }

    /// Sees to it that new layers are on the disk before an image names them, so that a power cut breaks no image.
    ///
    /// The blobs alone: waiting for the whole file system would wait for all that the steps wrote as well.
    /// - Throws: ``HostFileError`` where the disk does not take them.
    public func synchronize() throws {
        let digests = newBlobs.withLock { blobs in
            defer { blobs = [] }
            return blobs
        }
        // Writing begins for many before one is waited for: that takes a third of the time.
        for start in stride(from: 0, to: digests.count, by: 64) {
            var files: [(path: String, file: OwnedDescriptor)] = []
            for digest in digests[start..<min(start + 64, digests.count)] {
                let path = images.blobPath(digest)
                let raw = open(path, O_RDONLY | O_CLOEXEC)
                guard raw >= 0 else { throw HostFileError("open", path, code: errno) }
                let file = OwnedDescriptor(owning: raw, path: path)
                file.beginWriteback()
                files.append((path, file))
            }
            for (path, file) in files {
                guard fdatasync(file.raw) == 0 else { throw HostFileError("write to the disk", path, code: errno) }
            }
        }
    }

    /// The digest over a layer's tree without times and contents, where it was kept.
    /// - Throws: ``DatabaseError``.
    public func treeDigest(of diffID: DiffID) throws -> Digest? {
        let rows = try database.query("SELECT tree FROM layers WHERE diff_id = ?", [.text(diffID.digest.hex)])
        return try rows.first?[0].text.map { try Digest(parsing: "sha256:\($0)") }
    }
}
