/// How a blob is compressed.
public enum BlobCompression: String, Sendable, Hashable {
    case none, gzip, zstd
}

/// The type of a document or blob, as descriptors name it.
///
/// Source: image-spec 1.1, media-types.md; Docker's image manifest version 2, schema 2.
public struct MediaType: Sendable, Hashable, RawRepresentable {
    /// The text as it stands in a descriptor.
    public let rawValue: String

    /// Takes any text: a type that swbuild does not know is kept as it is.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// An image manifest.
    public static let manifest = MediaType(rawValue: "application/vnd.oci.image.manifest.v1+json")
    /// An image index.
    public static let index = MediaType(rawValue: "application/vnd.oci.image.index.v1+json")
    /// An image configuration.
    public static let config = MediaType(rawValue: "application/vnd.oci.image.config.v1+json")
    /// Docker's image manifest.
    public static let dockerManifest = MediaType(rawValue: "application/vnd.docker.distribution.manifest.v2+json")
    /// Docker's manifest list.
    public static let dockerIndex = MediaType(rawValue: "application/vnd.docker.distribution.manifest.list.v2+json")

    /// The type of a layer that is compressed so.
    public static func layer(_ compression: BlobCompression) -> MediaType {
        let plain = "application/vnd.oci.image.layer.v1.tar"
        return switch compression {
        case .none: MediaType(rawValue: plain)
        case .gzip: MediaType(rawValue: plain + "+gzip")
        case .zstd: MediaType(rawValue: plain + "+zstd")
        }
    }

    /// Whether this is an index or Docker's manifest list.
    public var isIndex: Bool { self == .index || self == .dockerIndex }

    /// Whether this is an image manifest, OCI's or Docker's.
    public var isManifest: Bool { self == .manifest || self == .dockerManifest }
}
