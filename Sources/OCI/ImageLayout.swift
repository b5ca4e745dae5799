import Glibc

/// An OCI image layout in a directory of the host.
///
/// Source: image-spec 1.1, image-layout.md.
public struct ImageLayout: Sendable {
    /// The directory.
    public let path: String

    /// The annotation of an index entry that holds its tag.
    public static let referenceName = "org.opencontainers.image.ref.name"

    /// Opens a layout that is there.
    /// - Throws: ``DocumentError`` or ``HostFileError`` where it is none.
    public init(opening path: String) throws {
        self.path = path
        let marker = try JSONValue(
            parsing: HostFile.readRegular("\(path)/oci-layout", limit: 4096),
            as: "\(path)/oci-layout"
        )
        guard marker["imageLayoutVersion"]?.string == "1.0.0" else {
            throw DocumentError(document: "\(path)/oci-layout", problem: .unsupported("its imageLayoutVersion"))
        }
    }

    /// Opens a layout, or begins an empty one.
    /// - Throws: ``HostFileError`` where it cannot be created.
    public init(creating path: String) throws {
        self.path = path
        try HostFile.createDirectories("\(path)/blobs/sha256")
        if !HostFile.exists("\(path)/oci-layout") {
            try HostFile.write(Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8), to: "\(path)/oci-layout")
        }
        if !HostFile.exists("\(path)/index.json") {
            try HostFile.write(ImageIndex().json.encoded(), to: "\(path)/index.json")
        }
    }

    /// Where a blob lies, or would lie.
    public func blobPath(_ digest: Digest) -> String { "\(path)/blobs/sha256/\(digest.hex)" }

    /// The index of what the layout holds.
    /// - Throws: ``DocumentError`` or ``HostFileError``.
    public func index() throws -> ImageIndex {
        let name = "\(path)/index.json"
        return try ImageIndex(parsing: HostFile.readRegular(name, limit: JSONValue.largestDocument), as: name)
    }

    /// A document's bytes, checked against its descriptor.
    /// - Throws: ``BlobError`` where it is missing or is not what the descriptor says.
    public func document(_ descriptor: Descriptor) throws -> [UInt8] {
        guard descriptor.size <= JSONValue.largestDocument else {
            throw BlobError(digest: descriptor.digest, layout: path, problem: .tooLarge(descriptor.size))
        }
        let bytes: [UInt8]
        do {
            bytes = try HostFile.readRegular(blobPath(descriptor.digest), limit: JSONValue.largestDocument)
        } catch {
            throw BlobError(digest: descriptor.digest, layout: path, problem: .unreadable(error))
        }
        guard bytes.count == descriptor.size else {
            throw BlobError(
                digest: descriptor.digest,
                layout: path,
                problem: .size(found: Int64(bytes.count), expected: descriptor.size)
            )
        }
        let found = Digest(of: bytes)
        guard found == descriptor.digest else {
            throw BlobError(digest: descriptor.digest, layout: path, problem: .digest(found: found))
        }
        return bytes
    }

    /// Writes a document as a blob.
    /// - Throws: ``HostFileError``.
    public func write(_ document: [UInt8], as mediaType: MediaType) throws -> Descriptor {
        let digest = Digest(of: document)
        let path = blobPath(digest)
        // One that is there may be damaged: documents are small enough to look.
        let isThere = (try? HostFile.readRegular(path, limit: document.count)) == document
        if !isThere { try HostFile.write(document, to: path, lasting: true) }
        return Descriptor(mediaType: mediaType, digest: digest, size: Int64(document.count))
    }

    /// Changes the index under a lock, so that two processes lose nothing of each other's.
    /// - Throws: ``DocumentError``, ``HostFileError``, and what `change` throws.
    public func updateIndex(_ change: (inout ImageIndex) throws -> Void) throws {
        // The directory itself carries the lock: a layout holds no file that the specification does not know.
        let lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard lock >= 0 else { throw HostFileError("open", path, code: errno) }
        defer { close(lock) }
        while flock(lock, LOCK_EX) != 0 {
            guard errno == EINTR else { throw HostFileError("lock", path, code: errno) }
        }
        let name = "\(path)/index.json"
        let before = try HostFile.readRegular(name, limit: JSONValue.largestDocument)
        var index = try ImageIndex(parsing: before, as: name)
        try change(&index)
        let after = try index.json.encoded()
        // An image that was built again as it was is named already.
        if after != before { try HostFile.write(after, to: name) }
    }

    /// Puts an entry into the index under a name; an entry of that name, or of the same image without one, gives way.
    /// - Throws: ``DocumentError`` or ``HostFileError``.
    public func tag(_ descriptor: Descriptor, as name: String) throws {
        var entry = descriptor
        entry.annotations[Self.referenceName] = name
        try updateIndex { index in
            index.manifests.removeAll { old in
                let oldName = old.annotations[Self.referenceName]
                return oldName == name || oldName == nil && old.digest == entry.digest
            }
            index.manifests.append(entry)
        }
    }
}

/// A blob of a layout that cannot be used.
public struct BlobError: Error, Sendable, CustomStringConvertible {
    /// What is wrong with the blob.
    public enum Problem: Sendable {
        case unreadable(HostFileError)
        case size(found: Int64, expected: Int64)
        case digest(found: Digest)
        case tooLarge(Int64)
    }

    /// Which blob.
    public let digest: Digest
    /// The layout's directory.
    public let layout: String
    /// What is wrong with it.
    public let problem: Problem

    /// Names a blob of a layout and its problem.
    public init(digest: Digest, layout: String, problem: Problem) {
        self.digest = digest
        self.layout = layout
        self.problem = problem
    }

    /// One sentence: which blob, what is wrong, what to do.
    public var description: String {
        let what =
            switch problem {
            case .unreadable(let error) where error.isMissing: "is missing"
            case .unreadable(let error) where error.isNoRegularFile: "is no regular file"
            case .unreadable(let error): "cannot be read (\(error))"
            case .size(let found, let expected): "has \(found) bytes instead of \(expected)"
            case .digest(let found): "is corrupt: its content has the digest \(found)"
            case .tooLarge(let size): "is no document: it has \(size) bytes"
            }
        return "blob \(digest) of \(layout) \(what); build the image or copy it there again"
    }
}
