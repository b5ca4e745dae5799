import OCI

/// What a server calls the version of a file that it sent.
public struct FileValidators: Sendable, Hashable {
    /// The name of the version, quotes and all.
    ///
    /// Source: RFC 9110, section 8.8.3.
    public var etag: String?
    /// When it was last modified, as the server wrote it.
    ///
    /// Source: RFC 9110, section 8.8.2.
    public var lastModified: String?

    /// Validators of these parts.
    public init(etag: String?, lastModified: String?) {
        self.etag = etag
        self.lastModified = lastModified
    }

    /// The fields that ask for the file only if it is another version by now.
    ///
    /// Source: RFC 9110, sections 13.1.2 and 13.1.3.
    var condition: [HTTPField] {
        if let etag { return [HTTPField(name: "If-None-Match", value: etag)] }
        if let lastModified { return [HTTPField(name: "If-Modified-Since", value: lastModified)] }
        return []
    }
}

/// What is known of a file that was downloaded.
public struct DownloadedFile: Sendable, Hashable {
    /// The digest of its content.
    public let digest: Digest
    /// The number of its bytes.
    public let size: Int64
    /// When the server says that it was last modified, in seconds since 1970.
    public let lastModified: Int64?
    /// What the server calls this version.
    public let validators: FileValidators
    /// The name that the server suggests, never with a slash in it.
    public let suggestedName: String?

    /// The name that the server gives to this version of the file, quotes and all.
    public var etag: String? { validators.etag }
}

/// How a download ended well.
public enum DownloadOutcome: Sendable, Hashable {
    /// The file arrived.
    case file(DownloadedFile)
    /// The server still has the version that the request named; nothing was written.
    case notModified
}
