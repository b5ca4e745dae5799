import OCI
import Store

/// The images that the store names.
public struct StoredImages: Sendable {
    /// An image of the store.
    public struct Item: Sendable {
        /// The name in the store; `nil` where it has none.
        public var name: String?
        /// The entry of the index.
        public var descriptor: Descriptor
        /// The manifest that it points to.
        public var manifest: ImageManifest
        /// The configuration of the image.
        public var config: ImageConfig

        /// When it was made.
        public var created: String? { config.created }
        /// What its blobs take, in bytes.
        public var size: Int64 { manifest.layers.reduce(manifest.config.size) { $0 + $1.size } }
    }

    private let store: Store

    /// The images of `store`.
    public init(store: Store) { self.store = store }

    /// All images, by name.
    /// - Throws: ``DocumentError``, ``BlobError`` or ``HostFileError``.
    public func list() throws -> [Item] {
        try store.images.index().manifests.filter(\.mediaType.isManifest).map(item)
            .sorted { ($0.name ?? "~", $0.descriptor.digest) < ($1.name ?? "~", $1.descriptor.digest) }
    }

    private func item(_ entry: Descriptor) throws -> Item {
        let manifest = try ImageManifest(parsing: store.images.document(entry), as: "manifest \(entry.digest)")
        let config = try ImageConfig(
            parsing: store.images.document(manifest.config),
            as: "image configuration \(manifest.config.digest)"
        )
        return Item(
            name: entry.annotations[ImageLayout.referenceName],
            descriptor: entry,
            manifest: manifest,
            config: config
        )
    }

    /// The image of a name, a digest, or the beginning of one.
    /// - Throws: ``UnknownImage`` where there is none or more than one.
    public func find(_ text: String) throws -> Item {
        let entries = try store.images.index().manifests
        let name = (try? ImageReference(parsing: text))?.tagged.familiar
        if let entry = entries.first(where: { $0.annotations[ImageLayout.referenceName] == name }), name != nil {
            return try item(entry)
        }
        let digits = text.hasPrefix("sha256:") ? String(text.dropFirst(7)) : text
        var matching: [Descriptor] = []
        for entry in entries where digits.utf8.count >= 4 && entry.digest.hex.hasPrefix(digits) {
            if !matching.contains(where: { $0.digest == entry.digest }) { matching.append(entry) }
        }
        guard let entry = matching.first, matching.count == 1 else {
            throw UnknownImage(
                name: text,
                names: entries.compactMap { $0.annotations[ImageLayout.referenceName] },
                isAmbiguous: matching.count > 1
            )
        }
        return try item(entry)
    }

    /// Takes an image's name away, or all its entries where it was named by digest.
    ///
    /// The blobs stay until pruned.
    /// - Throws: ``DocumentError`` or ``HostFileError``.
    public func remove(_ item: Item, named text: String) throws {
        let name = (try? ImageReference(parsing: text))?.tagged.familiar
        try store.images.updateIndex { index in
            if let name, item.name == name {
                index.manifests.removeAll { $0.annotations[ImageLayout.referenceName] == name }
            } else {
                index.manifests.removeAll { $0.digest == item.descriptor.digest }
            }
        }
    }
}

/// A name that no image, or more than one, answers to.
public struct UnknownImage: Error, Sendable, CustomStringConvertible {
    /// What was asked for.
    public let name: String
    /// The names there are.
    public let names: [String]
    /// Whether it is the beginning of several digests.
    public let isAmbiguous: Bool

    /// One sentence: what was asked for, and what there is.
    public var description: String {
        if isAmbiguous { return "`\(name)` is the beginning of more than one image's digest; give more of it" }
        return names.isEmpty
            ? "there is no image `\(name)`: the store is empty"
            : "there is no image `\(name)`; there are \(names.sorted().joined(separator: ", "))"
    }
}
