import OCI

/// The documents behind a name: an image, or an index with the images that are there.
struct ImageTree: Sendable {
    /// An image manifest that is there.
    struct Image: Sendable {
        /// As an index or the caller names it.
        var descriptor: Descriptor
        var manifest: ImageManifest

        /// The configuration and the layers.
        var blobs: [Descriptor] { [manifest.config] + manifest.layers }
    }

    /// What the name stands for.
    let top: Descriptor
    /// The indexes that are there, an inner one before the one that names it.
    private(set) var indexes: [Descriptor] = []
    /// The images that are there, in the order in which the indexes name them.
    private(set) var images: [Image] = []
    /// What an index names and the layout has not got: images for other platforms, mostly.
    private(set) var missing: [Descriptor] = []

    /// How deep indexes may nest, and how many documents there may be.
    static let (deepest, mostDocuments) = (4, 1000)

    /// Reads the documents of `top`.
    /// - Throws: ``BlobError``, ``DocumentError`` or ``ImageNotFound`` where they are damaged, missing at the top, or too
    ///   many.
    init(_ top: Descriptor, in layout: ImageLayout) throws {
        self.top = top
        var seen: Set<Digest> = []
        try add(top, from: layout, depth: 0, &seen)
    }

    private mutating func add(
        _ entry: Descriptor,
        from layout: ImageLayout,
        depth: Int,
        _ seen: inout Set<Digest>
    ) throws {
        guard depth < Self.deepest else { throw ImageNotFound(layout: layout.path, reason: .nesting) }
        guard seen.insert(entry.digest).inserted else { return }
        guard seen.count <= Self.mostDocuments else { throw ImageNotFound(layout: layout.path, reason: .nesting) }
        guard depth == 0 || HostFile.exists(layout.blobPath(entry.digest)) else {
            missing.append(entry)
            return
        }
        let bytes = try layout.document(entry)
        if entry.mediaType.isIndex {
            for child in try ImageIndex(parsing: bytes, as: "index \(entry.digest)").manifests {
                try add(child, from: layout, depth: depth + 1, &seen)
            }
            indexes.append(entry)
            return
        }
        images.append(
            Image(descriptor: entry, manifest: try ImageManifest(parsing: bytes, as: "manifest \(entry.digest)"))
        )
    }

    /// All documents and blobs, what is pointed to before what points to it, each once.
    var blobs: [Descriptor] {
        var seen: Set<Digest> = []
        let all = images.flatMap { $0.blobs + [$0.descriptor] } + indexes
        return all.filter { seen.insert($0.digest).inserted }
    }

    /// The images that can be run, without what is only said about them.
    var runnable: [Image] { images.filter { !$0.descriptor.isAttestation } }

    /// The image for a platform: the same one first, then one that serves.
    func image(for platform: Platform) -> Image? {
        let entry = ImageLayout.entry(for: platform, among: images.map(\.descriptor))
        return images.first { $0.descriptor.digest == entry?.digest }
    }
}
