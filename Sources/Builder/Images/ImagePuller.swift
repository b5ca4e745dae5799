import OCI
import Registry
import Store

/// Brings images from registries into the store.
struct ImagePuller: Sendable {
    let store: Store
    let registries: Registries

    /// An image whose documents are in the store, and where its layers can be had.
    struct Found: Sendable {
        var image: ResolvedImage
        var origin: ImageOrigin
    }

    /// Brings the documents of an image, and none of its layers; `known` is what the name stood for when it was last
    /// asked for, if that still counts.
    ///
    /// Of an index, those for one platform. They are found in the store from now on, but nothing names them there.
    /// - Throws: `RegistryError`, ``ImageNotFound``, ``DocumentError``, ``HostFileError``.
    func find(_ reference: ImageReference, known: Descriptor? = nil, platform: Platform) throws -> Found {
        let name = reference.tagged
        var top: Descriptor
        if let known {
            top = known
            _ = try document(known, of: name)
        } else {
            let remote = try registries.client().manifest(name)
            top = try store.images.write(remote.bytes, as: remote.descriptor.mediaType)
        }
        var entry = top
        var depth = 0
        while entry.mediaType.isIndex {
            depth += 1
            guard depth < ImageTree.deepest else { throw ImageNotFound(layout: name.familiar, reason: .nesting) }
            let index = try ImageIndex(parsing: document(entry, of: name), as: "the index \(entry.digest)")
            guard let next = ImageLayout.entry(for: platform, among: index.manifests) else {
                let have = index.manifests.filter { !$0.isAttestation }.compactMap(\.platform)
                throw ImageNotFound(layout: name.familiar, reason: .platform(platform, have: have))
            }
            entry = next
        }
        guard entry.mediaType.isManifest else {
            throw DocumentError(
                document: "the image \(name.familiar)",
                problem: .unsupported("the media type \(entry.mediaType.rawValue.prefix(200))")
            )
        }
        let manifest = try ImageManifest(parsing: document(entry, of: name), as: "the manifest \(entry.digest)")
        let config = try ImageConfig(
            parsing: configuration(manifest.config, of: name),
            as: "the image configuration \(manifest.config.digest)"
        )
        let counts = (manifest.layers.count, config.diffIDs.count)
        guard counts.0 == counts.1 else {
            throw ImageNotFound(layout: name.familiar, reason: .layerCount(layers: counts.0, diffIDs: counts.1))
        }
        if !top.mediaType.isIndex, top.platform == nil { top.platform = config.platform }
        return Found(
            image: ResolvedImage(layout: store.images, descriptor: entry, manifest: manifest, config: config),
            origin: ImageOrigin(reference: name, top: top, isNamed: false)
        )
    }

    /// A manifest or index, from the store or the registry.
    private func document(_ descriptor: Descriptor, of name: ImageReference) throws -> [UInt8] {
        if store.images.hasBlob(descriptor), let bytes = try? store.images.document(descriptor) { return bytes }
        let remote = try registries.client().manifest(name.naming(descriptor.digest), of: name)
        guard remote.bytes.count == descriptor.size else {
            throw DocumentError(
                document: "the manifest \(descriptor.digest) of \(name.familiar)",
                problem: .malformed("size", value: "\(descriptor.size), it has \(remote.bytes.count) bytes")
            )
        }
        _ = try store.images.write(remote.bytes, as: descriptor.mediaType)
        return remote.bytes
    }

    private func configuration(_ descriptor: Descriptor, of name: ImageReference) throws -> [UInt8] {
        if store.images.hasBlob(descriptor), let bytes = try? store.images.document(descriptor) { return bytes }
        let bytes = try registries.client().blob(descriptor, of: name, limit: JSONValue.largestDocument)
        _ = try store.images.write(bytes, as: descriptor.mediaType)
        try store.note([descriptor.digest], in: name.repositoryName)
        return bytes
    }

    /// How layers are brought.
    struct Options {
        /// Whether every blob is to be in the store, and not only the content of every layer.
        var isComplete = false
        /// Whether layers are to be unpacked.
        var unpacks = false
        /// Told how far it is, often.
        var show: @Sendable (String) -> Void = { _ in }
    }

    /// Brings the layers that are missing, and gives the image its name in the store.
    /// - Returns: How many bytes came, and in how many layers.
    /// - Throws: `RegistryError`, ``BrokenLayer``, ``IncomingBlobError``, ``HostFileError``, ``DatabaseError``.
    func bringLayers(of found: Found, _ options: Options) throws -> (layers: Int, bytes: Int64) {
        let (manifest, diffIDs) = (found.image.manifest, found.image.config.diffIDs)
        var missing: [LayerFetch.Layer] = []
        var seen: Set<Digest> = []
        for (position, layer) in manifest.layers.enumerated() {
            let needsBlob = options.isComplete && !store.images.hasBlob(layer)
            guard try needsBlob || store.layer(diffIDs[position]) == nil else { continue }
            guard seen.insert(layer.digest).inserted || !needsBlob else { continue }
            let chain = Array(diffIDs[...position])
            missing.append(LayerFetch.Layer(descriptor: layer, chain: chain, needsBlob: needsBlob))
        }
        let total = missing.reduce(0) { $0 + $1.descriptor.size }
        if !missing.isEmpty {
            let name = found.origin.reference
            let progress = TransferProgress("pulling \(name.familiar)", total: total, show: options.show)
            let registries = registries
            let tools = LayerFetch.Tools(
                store: store,
                client: try registries.client(),
                progress: progress,
                isCancelled: { registries.isCancelled }
            )
            try LayerFetch(missing, of: name, unpacking: options.unpacks, with: tools).run()
        }
        if !found.origin.isNamed { try name(found.origin) }
        return (missing.count, total)
    }

    /// Names the image in the store, if it has a name; one that was asked for by digest alone has none.
    private func name(_ origin: ImageOrigin) throws {
        try store.synchronize()
        guard origin.reference.tag != nil else {
            return try store.images.updateIndex { index in
                guard !index.manifests.contains(where: { $0.digest == origin.top.digest }) else { return }
                index.manifests.append(origin.top)
            }
        }
        var tag = origin.reference
        tag.digest = nil
        let entries = try store.images.index().manifests
        let isNamed = entries.contains { entry in
            entry.annotations[ImageLayout.referenceName] == tag.familiar && entry.digest == origin.top.digest
        }
        if !isNamed { try store.images.tag(origin.top.unnamed, as: tag.familiar) }
    }
}
