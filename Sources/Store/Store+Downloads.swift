import Glibc
import OCI

/// What is known of a file that was downloaded and kept.
public struct DownloadRecord: Sendable, Hashable {
    /// The digest of the URL: URLs may hold credentials, and are not kept.
    public var url: Digest
    /// The digest of the file's content.
    public var digest: Digest
    /// The number of the file's bytes.
    public var size: Int64
    /// What the server called this version.
    public var etag: String?
    /// When it was last modified, as the server wrote it.
    public var lastModified: String?
    /// The same, in seconds since 1970.
    public var modified: Int64?
    /// The name that the server suggested.
    public var name: String?

    /// A record of what came from `url`.
    public init(url: Digest, digest: Digest, size: Int64) {
        self.url = url
        self.digest = digest
        self.size = size
    }
}

extension Store {
    /// The most that kept downloads may take together; the least recently used go first.
    static let largestDownloads: Int64 = 10 << 30

    /// What was kept of a URL, where the file is still there and whole by its size.
    /// - Throws: ``DatabaseError``.
    public func download(of url: Digest) throws -> DownloadRecord? {
        let rows = try database.query(
            "SELECT digest, size, etag, last_modified, modified, name FROM downloads WHERE url = ?",
            [.text(url.hex)]
        )
        guard let row = rows.first, let hex = row[0].text, let size = row[1].integer else { return nil }
        var record = DownloadRecord(url: url, digest: try Digest(parsing: "sha256:\(hex)"), size: size)
        record.etag = row[2].text
        record.lastModified = row[3].text
        record.modified = row[4].integer
        record.name = row[5].text
        var information = stat()
        guard stat(path(ofDownload: record.digest), &information) == 0, information.st_size == size else { return nil }
        return record
    }

    /// Gives a kept download a second name at `path`, which stays whatever happens to the first.
    /// - Throws: ``DatabaseError``, or ``HostFileError`` where the file is gone or cannot be linked.
    public func link(_ record: DownloadRecord, to path: String) throws {
        guard Glibc.link(self.path(ofDownload: record.digest), path) == 0 else {
            throw HostFileError("link a download to", path, code: errno)
        }
        try database.query(
            "UPDATE downloads SET used = ? WHERE url = ?",
            [.integer(Self.now), .text(record.url.hex)]
        )
    }

    /// Keeps a complete file for later builds, by a second name; what is too large is not kept.
    /// - Throws: ``DatabaseError``, ``FileError``, or ``HostFileError`` where the file cannot be linked.
    public func keep(_ record: DownloadRecord, file: String) throws {
        guard record.size <= Self.largestDownloads / 4 else { return }
        let kept = path(ofDownload: record.digest)
        // A file that is there already has the same content, or is damaged: it is replaced either way.
        let temporary = "\(kept).\(UInt64.random(in: 0...UInt64.max))"
        guard Glibc.link(file, temporary) == 0 else { throw HostFileError("keep a download as", kept, code: errno) }
        guard rename(temporary, kept) == 0 else {
            let code = errno
            unlink(temporary)
            throw HostFileError("rename into place", kept, code: code)
        }
        // Renaming one name of a file to another name of the same file leaves both.
        unlink(temporary)
        try database.query(
            """
            INSERT OR REPLACE INTO downloads (url, digest, size, etag, last_modified, modified, name, used)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .text(record.url.hex), .text(record.digest.hex), .integer(record.size), Self.text(record.etag),
                Self.text(record.lastModified), record.modified.map { .integer($0) } ?? .null, Self.text(record.name),
                .integer(Self.now),
            ]
        )
        try boundDownloads()
    }

    /// Forgets a download that turned out not to be what its record says.
    /// - Throws: ``DatabaseError``.
    public func dropDownload(_ digest: Digest) throws {
        try database.query("DELETE FROM downloads WHERE digest = ?", [.text(digest.hex)])
        unlink(path(ofDownload: digest))
    }

    private static func text(_ value: String?) -> DatabaseValue { value.map { .text($0) } ?? .null }

    private func path(ofDownload digest: Digest) -> String { "\(root)/downloads/\(digest.hex)" }

    private func boundDownloads() throws {
        let rows = try database.query(
            "SELECT digest, MAX(size), MAX(used) AS last FROM downloads GROUP BY digest ORDER BY last DESC"
        )
        var total: Int64 = 0
        for row in rows {
            guard let hex = row[0].text, let size = row[1].integer else { continue }
            total += size
            if total > Self.largestDownloads { try dropDownload(try Digest(parsing: "sha256:\(hex)")) }
        }
    }

    /// The names of the downloads that records still name.
    func keptDownloads() throws -> Set<String> {
        Set(try database.query("SELECT digest FROM downloads").compactMap { $0[0].text })
    }
}
