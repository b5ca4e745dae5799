import OCI
import Store

/// The images that the store names.
public struct StoredImages: Sendable {
    /// A name of the store, and what is here of what it stands for.
    public struct Listed: Sendable {
        /// The name in the store; `nil` where it has none.
        public var name: String?
        /// The entry of the index.
        public var descriptor: Descriptor
        /// The platforms of the images that are here.
        public var platforms: [Platform]
        /// When the newest of them was made.
        public var created: String?
        /// What the blobs of them all take, in bytes.
        public var size: Int64
        /// Whether a document is missing or damaged that tells what the rest of it is.
        public var isIncomplete = false
    }

    /// An image of the store.
    public struct Item: Sendable {
        /// The name in the store; `nil` where it has none.
        public var name: String?
        /// The entry of the index: of the image, or of an index that names it.
        public var descriptor: Descriptor
        /// The document that the entry points to, where that is an index.
        public var index: ImageIndex?
        /// The manifest of the image.
        public var manifest: ImageManifest
        /// The configuration of the image.
        public var config: ImageConfig
    }

    let store: Store

    /// The images of `store`.
    public init(store: Store) { self.store = store }

    /// All images, by name.
    /// - Throws: ``DocumentError``, ``BlobError`` or ``HostFileError``.
    public func list() throws -> [Listed] {
        try store.images.index().manifests.filter { $0.mediaType.isManifest || $0.mediaType.isIndex }.map { entry in
            do {
                return try listed(entry)
            } catch is BlobError {
                // The others are as good as ever, and who is to remove this one has to see its name.
                let name = entry.annotations[ImageLayout.referenceName]
                return Listed(name: name, descriptor: entry, platforms: [], size: 0, isIncomplete: true)
            }
        }
        .sorted { ($0.name ?? "~", $0.descriptor.digest) < ($1.name ?? "~", $1.descriptor.digest) }
    }

    private func listed(_ entry: Descriptor) throws -> Listed {
        let tree = try ImageTree(entry, in: store.images)
        let name = entry.annotations[ImageLayout.referenceName]
        var result = Listed(name: name, descriptor: entry, platforms: [], size: 0)
        var seen: Set<Digest> = []
        for image in tree.images {
            for blob in image.blobs where seen.insert(blob.digest).inserted {
                // An index names up to a thousand documents, each of which may claim what it likes.
                let (sum, isMore) = result.size.addingReportingOverflow(blob.size)
                result.size = isMore ? .max : sum
            }
        }
        for image in tree.runnable {
            let config = try config(of: image.manifest)
            result.platforms.append(image.descriptor.platform ?? config.platform)
            if let created = config.created { result.created = max(created, result.created ?? created) }
        }
        return result
    }

    private func config(of manifest: ImageManifest) throws -> ImageConfig {
        try ImageConfig(
            parsing: store.images.document(manifest.config),
            as: "image configuration \(manifest.config.digest)"
        )
    }

    /// The image of a name, a digest, or the beginning of one; of an index, the one for a platform.
    /// - Throws: ``UnknownImage`` where there is none or more than one, ``ImageNotFound`` where there is none for the
    ///   platform.
    public func find(_ text: String, platform: Platform = .host) throws -> Item {
        let entry = try entry(text)
        let tree = try ImageTree(entry, in: store.images)
        // The only one that is here is meant, whatever it is for.
        let only = tree.runnable.count == 1 ? tree.runnable.first : nil
        guard let image = tree.image(for: platform) ?? only else {
            let have = tree.runnable.compactMap(\.descriptor.platform)
            throw ImageNotFound(layout: "the store's \(text)", reason: .platform(platform, have: have))
        }
        var item = Item(
            name: entry.annotations[ImageLayout.referenceName],
            descriptor: entry,
            manifest: image.manifest,
            config: try config(of: image.manifest)
        )
        if entry.mediaType.isIndex {
            item.index = try ImageIndex(parsing: store.images.document(entry), as: "index \(entry.digest)")
        }
        return item
    }

    /// The entry of a name, a digest, or the beginning of one.
    /// - Throws: ``UnknownImage`` where there is none or more than one.
    public func entry(_ text: String) throws -> Descriptor {
        let entries = try store.images.index().manifests
        let name = (try? ImageReference(parsing: text))?.tagged.familiar
        if let entry = entries.first(where: { $0.annotations[ImageLayout.referenceName] == name }), name != nil {
            return entry
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
        return entry
    }

    /// Gives an image further names; what they stood for before keeps its other names.
    /// - Throws: ``UnknownImage``, ``DocumentError`` or ``HostFileError``.
    public func tag(_ text: String, as names: [ImageReference]) throws {
        let hold = try store.holdForBuild()
        defer { withExtendedLifetime(hold) {} }
        let entry = try entry(text)
        for name in names { try store.images.tag(entry, as: name.tagged.familiar) }
    }

    /// Takes an image's name away, or all its entries where it was named by digest.
    ///
    /// The blobs stay until pruned.
    /// - Throws: ``UnknownImage``, ``DocumentError`` or ``HostFileError``.
    public func remove(_ text: String) throws {
        let entry = try entry(text)
        let name = (try? ImageReference(parsing: text))?.tagged.familiar
        try store.images.updateIndex { index in
            if let name, entry.annotations[ImageLayout.referenceName] == name {
                index.manifests.removeAll { $0.annotations[ImageLayout.referenceName] == name }
            } else {
                index.manifests.removeAll { $0.digest == entry.digest }
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
