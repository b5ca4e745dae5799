import Glibc
import LayerDiff
import OCI
import Store

/// Brings images of archives and layouts into the store: `swbuild load`, and bases from archives.
public struct ImageLoader: Sendable {
    /// An image that was loaded.
    public struct Loaded: Sendable {
        /// The names that it has in the store now.
        public var names: [ImageReference]
        /// The entry of the store.
        public var descriptor: Descriptor
    }

    private let store: Store

    /// A loader into `store`.
    public init(store: Store) { self.store = store }

    /// Loads all images of a layout's directory or an archive; those without a name get `name`, where there is one.
    /// - Throws: ``ImageArchiveError``, ``BlobError``, ``DocumentError``, ``StoreError``, ``HostFileError``.
    public func load(_ path: String, name: ImageReference? = nil) throws -> [Loaded] {
        let hold = try store.holdForBuild()
        defer { withExtendedLifetime(hold) {} }
        let work = try store.makeWorkDirectory()
        var information = stat()
        guard stat(path, &information) == 0 else { throw HostFileError("open", path, code: errno) }
        let isDirectory = information.st_mode & S_IFMT == S_IFDIR
        let layout = isDirectory ? try ImageLayout(opening: path) : try layout(ofArchive: path, form: nil, work: work)
        let entries = try layout.index().manifests.filter { $0.mediaType.isManifest || $0.mediaType.isIndex }
        guard !entries.isEmpty, entries.count <= ImageTree.mostDocuments else {
            throw ImageArchiveError.noImages(path: path)
        }
        // Read before the first of them moves: images may share blobs, and one may have several names.
        let trees = try entries.map { try ImageTree($0, in: layout) }
        for tree in trees { try bring(tree, from: layout, moving: !isDirectory) }
        try store.synchronize()
        return try entries.map { try self.name($0, or: name) }
    }

    /// Makes a layout in `work` of an archive, whose form is found out where it is not said.
    func layout(ofArchive path: String, form: ArchiveForm?, work: WorkDirectory) throws -> ImageLayout {
        let raw = open(path, O_RDONLY | O_CLOEXEC)
        guard raw >= 0 else { throw HostFileError("open", path, code: errno) }
        let file = OwnedDescriptor(owning: raw, path: path)
        let members = try work.makeDirectory("members", mode: 0o700)
        let files = try ArchiveFiles(file, path: path, members: members)
        let layout = try ImageLayout(creating: work.makeDirectory("layout", mode: 0o700))
        if form != .docker, try files.has("oci-layout"), try files.has("index.json") {
            try HostFile.write(files.document("index.json"), to: "\(layout.path)/index.json")
            try files.moveBlobs(to: layout)
        } else if form != .oci, try files.has("manifest.json") {
            var archive = DockerArchive(files: files, layout: layout, work: work)
            try archive.convert()
        } else {
            throw ImageArchiveError.noImages(path: path)
        }
        return layout
    }

    /// Brings all blobs of an image or index that are there, each checked, before the documents that name them.
    func bring(_ tree: ImageTree, from layout: ImageLayout, moving: Bool) throws {
        for image in tree.images {
            for blob in image.blobs { try store.importBlob(blob, from: layout, moving: moving) }
            if image.isContainer { try admitLayers(of: image) }
        }
        for document in tree.images.map(\.descriptor) + tree.indexes {
            try store.importBlob(document, from: layout, moving: moving)
        }
    }

    private func admitLayers(of image: ImageTree.Image) throws {
        let config = try ImageConfig(
            parsing: store.images.document(image.manifest.config),
            as: "image configuration \(image.manifest.config.digest)"
        )
        guard config.diffIDs.count == image.manifest.layers.count else {
            let counts = (image.manifest.layers.count, config.diffIDs.count)
            throw ImageNotFound(
                layout: "the archive",
                reason: .layerCount(layers: counts.0, diffIDs: counts.1)
            )
        }
        for (layer, diffID) in zip(image.manifest.layers, config.diffIDs) {
            try store.admitLayer(layer, as: diffID)
        }
    }

    private func name(_ entry: Descriptor, or other: ImageReference?) throws -> Loaded {
        let known = Self.name(of: entry) ?? other
        var entry = entry.unnamed
        if entry.platform == nil, let image = try ImageTree(entry, in: store.images).images.first, image.isContainer,
            !entry.mediaType.isIndex
        {
            entry.platform = try ImageConfig(
                parsing: store.images.document(image.manifest.config),
                as: "image configuration \(image.manifest.config.digest)"
            ).platform
        }
        guard let known else {
            try store.images.updateIndex { index in
                if !index.manifests.contains(where: { $0.digest == entry.digest }) { index.manifests.append(entry) }
            }
            return Loaded(names: [], descriptor: entry)
        }
        try store.images.tag(entry, as: known.tagged.familiar)
        return Loaded(names: [known.tagged], descriptor: entry)
    }

    /// The name that an entry of a layout gives: containerd's full one, or a reference that is more than a tag.
    static func name(of entry: Descriptor) -> ImageReference? {
        let texts = [entry.annotations["io.containerd.image.name"], entry.annotations[ImageLayout.referenceName]]
        if let full = texts[0], let name = try? ImageReference(parsing: full), name.digest == nil { return name }
        guard let text = texts[1], text.contains(":") || text.contains("/") else { return nil }
        guard let name = try? ImageReference(parsing: text), name.digest == nil else { return nil }
        return name
    }
}

extension ImageTree.Image {
    /// Whether it is an image whose layers are files: not what is said about one, and no artifact of another kind.
    var isContainer: Bool {
        let types = [MediaType.config.rawValue, "application/vnd.docker.container.image.v1+json"]
        return !descriptor.isAttestation && types.contains(manifest.config.mediaType.rawValue)
    }
}
