import Glibc
import LayerDiff
import OCI
import Store

/// Makes a layout of what `docker save` and others write: configurations and plain layers that a `manifest.json` lists.
///
/// Source: Docker's image specification v1.2, "Combined Image JSON + Filesystem Changeset Format".
struct DockerArchive {
    let files: ArchiveFiles
    let layout: ImageLayout
    let work: WorkDirectory
    private var layers: [String: (descriptor: Descriptor, diffID: DiffID)] = [:]

    init(files: ArchiveFiles, layout: ImageLayout, work: WorkDirectory) {
        self.files = files
        self.layout = layout
        self.work = work
    }

    /// Writes manifests for all its images and lists them in the layout's index.
    mutating func convert() throws {
        let name = "manifest.json of \(files.path)"
        guard let items = try JSONValue(parsing: files.document("manifest.json"), as: name).array else {
            throw DocumentError(document: name, problem: .missing("list of images"))
        }
        guard items.count <= ImageTree.mostDocuments else {
            throw DocumentError(document: name, problem: .tooLarge(items.count, limit: ImageTree.mostDocuments))
        }
        var entries: [Descriptor] = []
        for item in items {
            guard let config = item["Config"]?.string, let layers = item["Layers"]?.strings else {
                throw DocumentError(document: name, problem: .missing("Config and Layers"))
            }
            let names = (item["RepoTags"]?.strings ?? []).compactMap { try? ImageReference(parsing: $0) }
            let image = try convert(config: config, layers: layers)
            entries += NamedImage(descriptor: image, names: names).indexEntries
        }
        try layout.updateIndex { $0.manifests = entries }
    }

    private mutating func convert(config name: String, layers names: [String]) throws -> Descriptor {
        let bytes = try files.document(name)
        let config = try ImageConfig(parsing: bytes, as: "\(name) of \(files.path)")
        guard config.diffIDs.count == names.count else {
            throw ImageArchiveError.layers(found: names.count, listed: config.diffIDs.count, path: files.path)
        }
        var descriptors: [Descriptor] = []
        for (name, diffID) in zip(names, config.diffIDs) { descriptors.append(try layer(name, diffID)) }
        let manifest = ImageManifest(config: try layout.write(bytes, as: .config), layers: descriptors)
        var descriptor = try layout.write(manifest.json.encoded(), as: .manifest)
        descriptor.platform = config.platform
        return descriptor
    }

    /// A layer as a blob: one that is not compressed is, since it may be sent somewhere.
    private mutating func layer(_ name: String, _ diffID: DiffID) throws -> Descriptor {
        let path = try files.file(name)
        if let known = layers[path] {
            try check(known.diffID, is: diffID, name)
            return known.descriptor
        }
        let raw = open(path, O_RDONLY | O_CLOEXEC)
        guard raw >= 0 else { throw HostFileError("open", path, code: errno) }
        let source = OwnedDescriptor(owning: raw, path: path)
        let compression = try LayerReader.compression(of: source)
        let temporary = work.unique("layer")
        let file = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw HostFileError("create", temporary, code: errno) }
        let output = OwnedDescriptor(owning: file, path: temporary)
        let options = LayerOptions(compression: compression == .zstd ? .zstd(level: 3) : .gzip)
        let blob = try source.withDescriptor { source in
            try output.withDescriptor { try LayerRewriter.rewrite(source, to: $0, options: options) }
        }
        try check(blob.diffID, is: diffID, name)
        let descriptor = Descriptor(mediaType: .layer(blob.compression), digest: blob.digest, size: blob.size)
        let target = layout.blobPath(blob.digest)
        guard rename(temporary, target) == 0 else { throw HostFileError("rename into place", target, code: errno) }
        layers[path] = (descriptor, blob.diffID)
        return descriptor
    }

    private func check(_ found: DiffID, is expected: DiffID, _ name: String) throws {
        guard found != expected else { return }
        throw ImageArchiveError.diffID(file: name, found: found, expected: expected, path: files.path)
    }
}
