/// An image configuration: a tree of which swbuild reads and changes what it knows, and keeps the rest.
///
/// Source: image-spec 1.1, config.md; Docker's additions (`OnBuild`, `Shell`, `Healthcheck`).
public struct ImageConfig: Sendable, Hashable {
    private var members: [String: JSONValue]
    /// How the image is run.
    public var runtime: RuntimeConfig
    /// The layers, lowest first.
    public var diffIDs: [DiffID]
    /// How the image came to be.
    public var history: [HistoryEntry]

    /// The configuration of an empty image.
    public init(platform: Platform) {
        members = platform.json.object ?? [:]
        runtime = RuntimeConfig()
        diffIDs = []
        history = []
    }

    /// Reads a configuration.
    /// - Throws: ``DocumentError`` where it is none, or of something that is no image with layers.
    public init(parsing bytes: [UInt8], as name: String) throws(DocumentError) {
        let json = try JSONValue(parsing: bytes, as: name)
        guard let members = json.object else { throw DocumentError(document: name, problem: .missing("config")) }
        self.members = members
        runtime = RuntimeConfig(json: members["config"] ?? .null)
        diffIDs = []
        for text in members["rootfs"]?["diff_ids"]?.strings ?? [] {
            do {
                diffIDs.append(DiffID(try Digest(parsing: text)))
            } catch {
                throw DocumentError(document: name, problem: .malformed("diff_ids", value: String(text.prefix(100))))
            }
        }
        history = (members["history"]?.array ?? []).compactMap(HistoryEntry.init(json:))
    }

    /// The document.
    public var json: JSONValue {
        var result = members
        result["config"] = runtime.json
        var rootfs = members["rootfs"]?.object ?? [:]
        rootfs["type"] = .string("layers")
        rootfs["diff_ids"] = .strings(diffIDs.map(\.description))
        result["rootfs"] = .object(rootfs)
        result["history"] = .array(history.map(\.json))
        return .object(result)
    }

    /// What the image runs on.
    public var platform: Platform {
        get { Platform(json: .object(members)) ?? Platform(os: "linux", architecture: "") }
        set {
            members["variant"] = nil
            members.merge(newValue.json.object ?? [:]) { $1 }
        }
    }

    /// When the image was made: RFC 3339.
    public var created: String? {
        get { members["created"]?.string }
        set { members["created"] = newValue.map(JSONValue.string) }
    }

    /// Who made the image.
    public var author: String? {
        get { members["author"]?.string }
        set { members["author"] = newValue.map(JSONValue.string) }
    }
}

/// One line of an image's history.
public struct HistoryEntry: Sendable, Hashable {
    /// When the step ran: RFC 3339.
    public var created: String?
    /// What the step did.
    public var createdBy: String?
    /// Whatever the builder had to say.
    public var comment: String?
    /// Whether the step left no layer.
    public var isEmptyLayer: Bool
    private var others: [String: JSONValue] = [:]

    /// An entry of these parts.
    public init(created: String?, createdBy: String, comment: String?, isEmptyLayer: Bool) {
        self.created = created
        self.createdBy = createdBy
        self.comment = comment
        self.isEmptyLayer = isEmptyLayer
    }

    /// Reads an entry; `nil` where it is no object.
    public init?(json: JSONValue) {
        guard var members = json.object else { return nil }
        created = members.removeValue(forKey: "created")?.string
        createdBy = members.removeValue(forKey: "created_by")?.string
        comment = members.removeValue(forKey: "comment")?.string
        isEmptyLayer = members.removeValue(forKey: "empty_layer") == .bool(true)
        others = members
    }

    /// The entry as the configuration holds it.
    public var json: JSONValue {
        var members = others
        if let created { members["created"] = .string(created) }
        if let createdBy { members["created_by"] = .string(createdBy) }
        if let comment { members["comment"] = .string(comment) }
        if isEmptyLayer { members["empty_layer"] = .bool(true) }
        return .object(members)
    }
}
