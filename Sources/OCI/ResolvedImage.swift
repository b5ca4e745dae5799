/// An image of a layout, found: its manifest and configuration, verified.
public struct ResolvedImage: Sendable {
    /// Where its blobs are.
    public var layout: ImageLayout
    /// The entry of the index that was chosen.
    public var descriptor: Descriptor
    /// The manifest, verified.
    public var manifest: ImageManifest
    /// The configuration, verified.
    public var config: ImageConfig
    /// Where what the layout has not got can be had; `nil` where nobody knows.
    public var origin: ImageOrigin?

    /// An image of these parts, which the caller has verified.
    public init(layout: ImageLayout, descriptor: Descriptor, manifest: ImageManifest, config: ImageConfig) {
        self.layout = layout
        self.descriptor = descriptor
        self.manifest = manifest
        self.config = config
    }
}

/// Where an image came from, or would come from again.
public struct ImageOrigin: Sendable, Hashable {
    /// The name by which it was asked for, with a tag or digest.
    public var reference: ImageReference
    /// What the name stands for: the image, or an index that names it.
    public var top: Descriptor
    /// Whether the name stands for that in the layout, too.
    public var isNamed: Bool

    /// A name and what it stands for.
    public init(reference: ImageReference, top: Descriptor, isNamed: Bool) {
        self.reference = reference
        self.top = top
        self.isNamed = isNamed
    }
}

/// What a layout was asked for and does not hold.
public struct ImageNotFound: Error, Sendable, CustomStringConvertible {
    /// What was missing.
    public enum Reason: Sendable {
        case tag(String, have: [String])
        case digest(Digest)
        case platform(Platform, have: [Platform])
        case nesting
        case layerCount(layers: Int, diffIDs: Int)
    }

    /// The layout's directory.
    public let layout: String
    /// What was missing.
    public let reason: Reason

    /// Names a layout, or whatever else holds images, and what is missing in it.
    public init(layout: String, reason: Reason) {
        self.layout = layout
        self.reason = reason
    }

    /// One sentence: what is not there, and what is.
    public var description: String {
        switch reason {
        case .tag(let tag, let have) where have.isEmpty: "\(layout) has no image `\(tag)`: it names none"
        case .tag(let tag, let have): "\(layout) has no image `\(tag)`; it has \(have.joined(separator: ", "))"
        case .digest(let digest): "\(layout) has no image \(digest)"
        case .platform(let platform, let have):
            "\(layout) has no image for \(platform); it has \(have.map(\.description).joined(separator: ", "))"
        case .nesting: "\(layout) nests its indexes too deeply"
        case .layerCount(let layers, let diffIDs):
            "the image in \(layout) has \(layers) layers, but its configuration lists \(diffIDs) diff_ids"
        }
    }
}

extension ImageLayout {
    /// Finds an image by tag or digest, or the only one, and the manifest for a platform in it.
    /// - Throws: ``ImageNotFound``, ``BlobError``, ``DocumentError`` or ``HostFileError``.
    public func resolve(tag: String?, digest: Digest?, platform: Platform) throws -> ResolvedImage {
        let entries = try index().manifests
        if let digest {
            guard let entry = entries.first(where: { $0.digest == digest }) else {
                throw ImageNotFound(layout: path, reason: .digest(digest))
            }
            return try resolve(entries: [entry], platform: platform, depth: 0)
        }
        let names = entries.compactMap { $0.annotations[Self.referenceName] }
        if let tag {
            let tagged = entries.filter { entry in
                let name = entry.annotations[Self.referenceName]
                return name == tag || name?.hasSuffix(":\(tag)") == true
            }
            if !tagged.isEmpty { return try resolve(entries: tagged, platform: platform, depth: 0) }
            guard names.isEmpty, tag == "latest" else {
                throw ImageNotFound(layout: path, reason: .tag(tag, have: names))
            }
        }
        return try resolve(entries: entries, platform: platform, depth: 0)
    }

    /// The image that a descriptor names, or the one for a platform of the index that it names.
    /// - Throws: ``ImageNotFound``, ``BlobError``, ``DocumentError`` or ``HostFileError``.
    public func resolve(_ descriptor: Descriptor, platform: Platform) throws -> ResolvedImage {
        try resolve(entries: [descriptor], platform: platform, depth: 0)
    }

    /// The entry of an index for a platform: the same one first, then one that serves.
    public static func entry(for platform: Platform, among entries: [Descriptor]) -> Descriptor? {
        let images = entries.filter { !$0.isAttestation }
        return images.first { $0.platform == platform } ?? images.first { $0.platform?.serves(platform) ?? true }
    }

    private func resolve(entries: [Descriptor], platform: Platform, depth: Int) throws -> ResolvedImage {
        guard depth < 4 else { throw ImageNotFound(layout: path, reason: .nesting) }
        guard let entry = Self.entry(for: platform, among: entries) else {
            let have = entries.filter { !$0.isAttestation }.compactMap(\.platform)
            throw ImageNotFound(layout: path, reason: .platform(platform, have: have))
        }
        let bytes = try document(entry)
        if entry.mediaType.isIndex {
            let nested = try ImageIndex(parsing: bytes, as: "index \(entry.digest)")
            return try resolve(entries: nested.manifests, platform: platform, depth: depth + 1)
        }
        let manifest = try ImageManifest(parsing: bytes, as: "manifest \(entry.digest)")
        let config = try ImageConfig(
            parsing: document(manifest.config),
            as: "image configuration \(manifest.config.digest)"
        )
        guard config.diffIDs.count == manifest.layers.count else {
            throw ImageNotFound(
                layout: path,
                reason: .layerCount(layers: manifest.layers.count, diffIDs: config.diffIDs.count)
            )
        }
        return ResolvedImage(layout: self, descriptor: entry, manifest: manifest, config: config)
    }
}

extension Descriptor {
    /// Whether this names no image, but what is said about one.
    public var isAttestation: Bool { annotations["vnd.docker.reference.type"] == "attestation-manifest" }
}

extension ImageLayout {
    /// Finds an image by its full reference name, without guessing, or by digest.
    /// - Throws: ``ImageNotFound``, ``BlobError``, ``DocumentError`` or ``HostFileError``.
    public func resolve(exactTag tag: String?, digest: Digest?, platform: Platform) throws -> ResolvedImage {
        if let tag {
            let names = try index().manifests.compactMap { $0.annotations[Self.referenceName] }
            guard names.contains(tag) else { throw ImageNotFound(layout: path, reason: .tag(tag, have: names)) }
        }
        return try resolve(tag: tag, digest: digest, platform: platform)
    }
}
