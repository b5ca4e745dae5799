import Exec
import Glibc
import LayerDiff
import OCI
import Registry
import Store

/// A file of a URL, in a directory of the build's own, under the name `file`.
struct FetchedFile: Sendable {
    var directory: String
    /// The name that the URL or the server gives it; empty where neither does.
    var name: String
    var digest: Digest
    var size: Int64
    /// When the server says that it was last modified; the epoch where it does not say.
    var modified: Int64
    /// Whether it was kept by an earlier build, and has not been read again since.
    var isKept: Bool
}

/// Gets files over HTTP, those that the store has kept only if they have changed.
struct URLFiles: Sendable {
    let store: Store
    let cancellation: Cancellation

    /// The file that `url` names; without a request where the store has the one that `checksum` names.
    /// - Throws: ``DownloadError``, ``ChecksumError``, ``HostFileError``, ``DatabaseError``.
    func fetch(_ url: String, checksum: Digest?, work: WorkDirectory) throws -> FetchedFile {
        let name = Digest(of: url.utf8)
        // Of several who want it at once, one downloads it and the others find it unchanged.
        let lock = try store.lock("download \(name)")
        defer { withExtendedLifetime(lock) {} }
        let directory = try work.makeDirectory("download", mode: 0o700)
        let path = "\(directory)/file"
        let record = try store.download(of: name)
        if let record, record.digest == checksum, let kept = try? reuse(record, url, directory) { return kept }
        let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw HostFileError("create", path, code: errno) }
        let descriptor = OwnedDescriptor(owning: file, path: path)
        switch try download(url, known: record, to: descriptor) {
        case .notModified:
            guard let record else { throw DownloadError.status(304, url: redacted(url)) }
            unlink(path)
            try check(record.digest, is: checksum, url)
            return try reuse(record, url, directory)
        case .file(let fetched):
            try check(fetched.digest, is: checksum, url)
            var record = DownloadRecord(url: name, digest: fetched.digest, size: fetched.size)
            record.etag = fetched.validators.etag
            record.lastModified = fetched.validators.lastModified
            record.modified = fetched.lastModified
            record.name = fetched.suggestedName
            try store.keep(record, file: path)
            return Self.file(of: record, url, directory, isKept: false)
        }
    }

    private func download(
        _ url: String,
        known: DownloadRecord?,
        to descriptor: OwnedDescriptor
    ) throws -> DownloadOutcome {
        let cancellation = cancellation
        let request = DownloadRequest(
            HTTPRequest(url: url, isCancelled: { cancellation.isCancelled }),
            known: known.map { FileValidators(etag: $0.etag, lastModified: $0.lastModified) }
        )
        return try withExtendedLifetime(descriptor) { try HTTPDownload.fetch(request, to: descriptor.raw) }
    }

    private func reuse(_ record: DownloadRecord, _ url: String, _ directory: String) throws -> FetchedFile {
        try store.link(record, to: "\(directory)/file")
        return Self.file(of: record, url, directory, isKept: true)
    }

    private func check(_ digest: Digest, is expected: Digest?, _ url: String) throws {
        guard let expected, expected != digest else { return }
        throw ChecksumError(url: url, expected: expected, found: digest)
    }

    private static func file(
        of record: DownloadRecord,
        _ url: String,
        _ directory: String,
        isKept: Bool
    ) -> FetchedFile {
        let name = URLName.fileName(of: url)
        return FetchedFile(
            directory: directory,
            name: name.isEmpty ? record.name ?? "" : name,
            digest: record.digest,
            size: record.size,
            modified: record.modified ?? 0,
            isKept: isKept
        )
    }

    /// Sees to it that a kept file still is what its record says, before it becomes part of a layer.
    /// - Throws: ``DamagedDownload``; the file is dropped then.
    func verify(_ file: FetchedFile, _ url: String) throws {
        guard file.isKept else { return }
        guard try contentDigest(Directory(path: file.directory), ContainerPath("file")) == file.digest else {
            try store.dropDownload(file.digest)
            throw DamagedDownload(url: url)
        }
    }
}

/// A download that is not what `--checksum` says.
struct ChecksumError: Error, CustomStringConvertible {
    let url: String
    let expected: Digest
    let found: Digest

    var description: String {
        "\(redacted(url)) has the digest \(found), but --checksum says \(expected); nothing was copied"
    }
}

/// A URL that names no file, where a name is needed.
struct DownloadNameError: Error, CustomStringConvertible {
    let url: String

    var description: String { "\(redacted(url)) names no file; give a destination that does not end in a slash" }
}

/// A kept download whose content is not what it was.
struct DamagedDownload: Error, CustomStringConvertible {
    let url: String

    var description: String { "what was kept of \(redacted(url)) is damaged, and was removed now; build again" }
}

/// The name that a URL's path ends in: without query and fragment, `%20` decoded.
enum URLName {
    static func fileName(of url: String) -> String {
        let address = url.prefix { $0 != "?" && $0 != "#" }
        guard let scheme = address.firstIndex(of: ":"), address[scheme...].hasPrefix("://") else { return "" }
        let path = address[scheme...].dropFirst(3)
        guard let slash = path.lastIndex(of: "/") else { return "" }
        let name = percentDecoded(path[path.index(after: slash)...].utf8)
        return name == "." || name == ".." || name.utf8.contains(0x2F) || name.utf8.contains(0) ? "" : name
    }
}

/// A URL as an image's history may show it: without user and password.
func withoutCredentials(_ url: String) -> String {
    guard let colon = url.firstIndex(of: ":"), url[colon...].hasPrefix("://") else { return url }
    let rest = url[colon...].dropFirst(3)
    let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    guard let at = authority.lastIndex(of: "@") else { return url }
    // The user of a repository reached by ssh is no secret, and part of its address.
    let user = authority[..<at]
    let shown = url.hasPrefix("ssh://") ? user.prefix { $0 != ":" } + "@" : ""
    return url[...colon] + "//" + shown + authority[authority.index(after: at)...] + rest[authority.endIndex...]
}
