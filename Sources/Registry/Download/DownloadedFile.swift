import OCI

/// What is known of a file that was downloaded.
public struct DownloadedFile: Sendable, Hashable {
    /// The digest of its content.
    public let digest: Digest
    /// The number of its bytes.
    public let size: Int64
    /// When the server says that it was last modified, in seconds since 1970.
    public let lastModified: Int64?
    /// The name that the server gives to this version of the file, quotes and all.
    ///
    /// Source: RFC 9110, section 8.8.3.
    public let etag: String?
}
