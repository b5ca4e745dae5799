/// What points to a blob.
///
/// Source: image-spec 1.1, descriptor.md.
public struct Descriptor: Sendable, Hashable {
    /// What the blob is.
    public var mediaType: MediaType
    /// The digest of the blob's bytes.
    public var digest: Digest
    /// In bytes.
    public var size: Int64
    /// What the image runs on, in an index.
    public var platform: Platform?
    /// Notes by name.
    public var annotations: [String: String]
    /// Members that swbuild has no use for, kept as they are.
    public var others: [String: JSONValue]

    /// A descriptor with its required members and the usual optional ones.
    public init(
        mediaType: MediaType,
        digest: Digest,
        size: Int64,
        platform: Platform? = nil,
        annotations: [String: String] = [:]
    ) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        self.platform = platform
        self.annotations = annotations
        others = [:]
    }

    /// Reads a descriptor of `document`.
    /// - Throws: ``DocumentError`` where a required member is missing or unusable.
    public init(json: JSONValue, in document: String) throws(DocumentError) {
        guard var members = json.object else {
            throw DocumentError(document: document, problem: .missing("descriptor"))
        }
        guard let type = members.removeValue(forKey: "mediaType")?.string else {
            throw DocumentError(document: document, problem: .missing("mediaType"))
        }
        guard let size = members.removeValue(forKey: "size")?.integer, size >= 0 else {
            throw DocumentError(document: document, problem: .missing("size"))
        }
        // No blob has 16 TiB; and a document is too small to name as many as it takes for a sum to overflow.
        guard size <= 1 << 44 else {
            throw DocumentError(document: document, problem: .malformed("size", value: "\(size)"))
        }
        guard let text = members.removeValue(forKey: "digest")?.string else {
            throw DocumentError(document: document, problem: .missing("digest"))
        }
        do {
            digest = try Digest(parsing: text)
        } catch {
            throw DocumentError(document: document, problem: .malformed("digest", value: String(text.prefix(100))))
        }
        mediaType = MediaType(rawValue: type)
        self.size = size
        // The member itself stays among the others for what it says beside these three (`os.version`).
        platform = members["platform"].flatMap(Platform.init(json:))
        annotations = members.removeValue(forKey: "annotations")?.object?.compactMapValues(\.string) ?? [:]
        others = members
    }

    /// The descriptor as documents hold it.
    public var json: JSONValue {
        var members = others
        members["mediaType"] = .string(mediaType.rawValue)
        members["digest"] = .string(digest.description)
        members["size"] = .integer(size)
        if let platform {
            var known = members["platform"]?.object ?? [:]
            // What is no text was not understood, and stays as it was read.
            if platform.variant.isEmpty, known["variant"]?.string?.isEmpty == false { known["variant"] = nil }
            members["platform"] = .object(known.merging(platform.json.object ?? [:]) { $1 })
        } else if members["platform"].flatMap(Platform.init(json:)) != nil {
            // One that names no system is kept as it was read.
            members["platform"] = nil
        }
        if !annotations.isEmpty { members["annotations"] = .strings(annotations) }
        return .object(members)
    }
}

/// An image manifest: one configuration and its layers.
///
/// Source: image-spec 1.1, manifest.md.
public struct ImageManifest: Sendable, Hashable {
    /// The image configuration.
    public var config: Descriptor
    /// Lowest first.
    public var layers: [Descriptor]
    /// Notes by name.
    public var annotations: [String: String]

    /// A manifest of these parts.
    public init(config: Descriptor, layers: [Descriptor], annotations: [String: String] = [:]) {
        self.config = config
        self.layers = layers
        self.annotations = annotations
    }

    /// Reads a manifest, OCI's or Docker's.
    /// - Throws: ``DocumentError`` where it is none.
    public init(parsing bytes: [UInt8], as name: String) throws(DocumentError) {
        let json = try JSONValue(parsing: bytes, as: name)
        guard let config = json["config"] else { throw DocumentError(document: name, problem: .missing("config")) }
        guard let layers = json["layers"]?.array else {
            throw DocumentError(document: name, problem: .missing("layers"))
        }
        self.config = try Descriptor(json: config, in: name)
        self.layers = []
        for layer in layers { self.layers.append(try Descriptor(json: layer, in: name)) }
        annotations = json["annotations"]?.object?.compactMapValues(\.string) ?? [:]
    }

    /// The document.
    public var json: JSONValue {
        var members: [String: JSONValue] = [
            "schemaVersion": .integer(2),
            "mediaType": .string(MediaType.manifest.rawValue),
            "config": config.json,
            "layers": .array(layers.map(\.json)),
        ]
        if !annotations.isEmpty { members["annotations"] = .strings(annotations) }
        return .object(members)
    }
}

/// An image index: manifests, one for each platform or name.
///
/// Source: image-spec 1.1, image-index.md.
public struct ImageIndex: Sendable, Hashable {
    /// The manifests in their order.
    public var manifests: [Descriptor]
    /// Notes by name.
    public var annotations: [String: String]
    /// Members that swbuild has no use for, kept as they are.
    public var others: [String: JSONValue] = [:]

    /// An index of these manifests.
    public init(manifests: [Descriptor] = [], annotations: [String: String] = [:]) {
        self.manifests = manifests
        self.annotations = annotations
    }

    /// Reads an index, OCI's or Docker's manifest list.
    /// - Throws: ``DocumentError`` where it is none.
    public init(parsing bytes: [UInt8], as name: String) throws(DocumentError) {
        var members = try JSONValue(parsing: bytes, as: name).object ?? [:]
        guard let manifests = members.removeValue(forKey: "manifests")?.array else {
            throw DocumentError(document: name, problem: .missing("manifests"))
        }
        self.manifests = []
        for manifest in manifests { self.manifests.append(try Descriptor(json: manifest, in: name)) }
        annotations = members.removeValue(forKey: "annotations")?.object?.compactMapValues(\.string) ?? [:]
        others = members
    }

    /// The document.
    public var json: JSONValue {
        var members = others
        members["schemaVersion"] = .integer(2)
        members["mediaType"] = .string(MediaType.index.rawValue)
        members["manifests"] = .array(manifests.map(\.json))
        if !annotations.isEmpty { members["annotations"] = .strings(annotations) }
        return .object(members)
    }
}
