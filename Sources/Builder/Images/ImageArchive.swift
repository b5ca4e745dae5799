import LayerDiff
import OCI

/// Images of a layout as the entries of an archive.
struct ImageArchive {
    private let layout: ImageLayout
    private let images: [NamedImage]
    private let trees: [ImageTree]

    /// An archive of images of `layout`.
    /// - Throws: ``BlobError``, ``DocumentError`` or ``IncompleteImage`` where a part of an image is not there.
    init(_ images: [NamedImage], of layout: ImageLayout) throws {
        self.layout = layout
        self.images = images
        trees = try images.map { try ImageTree($0.descriptor, in: layout) }
        for (image, tree) in zip(images, trees) {
            guard let blob = tree.blobs.first(where: { !layout.hasBlob($0) }) else { continue }
            throw IncompleteImage(
                name: image.names.first?.familiar ?? image.descriptor.digest.description,
                digest: blob.digest
            )
        }
    }

    /// The blobs that the archive consists of, some of them perhaps more than once.
    var blobs: [Descriptor] { trees.flatMap(\.blobs) }

    /// All entries, in byte order of their paths; `platform` is the image that Docker's form takes of an index.
    /// - Throws: ``DocumentError``, ``FileError``, or ``ImageNotFound`` where there is none for the platform.
    func entries(_ form: ArchiveForm, platform: Platform) throws -> [LayerEntry] {
        let index = ImageIndex(manifests: images.flatMap(\.indexEntries))
        var entries =
            try blobEntries() + [
                Self.file("index.json", try index.json.encoded()),
                Self.file("oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)),
            ]
        if form == .docker { entries += try dockerEntries(platform) }
        return entries.sorted { $0.entry.path < $1.entry.path }
    }

    private func blobEntries() throws -> [LayerEntry] {
        let directory = try Directory(path: layout.path)
        var entries = [Self.directory("blobs"), Self.directory("blobs/sha256")]
        var seen: Set<Digest> = []
        for blob in blobs where seen.insert(blob.digest).inserted {
            let path = ContainerPath("blobs/sha256/\(blob.digest.hex)")
            entries.append(
                LayerEntry(entry: Self.plain(path, .file(size: blob.size)), content: .file(directory, path))
            )
        }
        return entries
    }

    /// `manifest.json` and `repositories`, which `docker load` goes by.
    private func dockerEntries(_ platform: Platform) throws -> [LayerEntry] {
        var manifests: [JSONValue] = []
        var repositories: [String: JSONValue] = [:]
        for (image, tree) in zip(images, trees) {
            guard let found = tree.image(for: platform) ?? tree.runnable.first else {
                let name = image.names.first?.familiar ?? image.descriptor.digest.description
                throw ImageNotFound(layout: "the store's \(name)", reason: .platform(platform, have: []))
            }
            manifests.append(
                .object([
                    "Config": .string("blobs/sha256/\(found.manifest.config.digest.hex)"),
                    "RepoTags": .strings(image.names.map { $0.tagged.familiar }),
                    "Layers": .strings(found.manifest.layers.map { "blobs/sha256/\($0.digest.hex)" }),
                ])
            )
            for tag in image.names {
                let full = tag.tagged
                var name = full
                name.tag = nil
                var known = repositories[name.familiar]?.object ?? [:]
                known[full.tag ?? "latest"] = .string(found.manifest.layers.last?.digest.hex ?? "")
                repositories[name.familiar] = .object(known)
            }
        }
        return [
            Self.file("manifest.json", try JSONValue.array(manifests).encoded()),
            Self.file("repositories", try JSONValue.object(repositories).encoded()),
        ]
    }

    // MARK: Parts

    private static func plain(_ path: ContainerPath, _ kind: TreeEntry.Kind) -> TreeEntry {
        TreeEntry(path: path, kind: kind, mode: 0o644, uid: 0, gid: 0, modified: 0)
    }

    private static func file(_ name: String, _ bytes: [UInt8]) -> LayerEntry {
        LayerEntry(entry: plain(ContainerPath(name), .file(size: Int64(bytes.count))), content: .bytes(bytes))
    }

    private static func directory(_ name: String) -> LayerEntry {
        var entry = plain(ContainerPath(name), .directory(opaque: false))
        entry.mode = 0o755
        return LayerEntry(entry: entry, content: .none)
    }
}

/// An image of the store that lacks a blob.
public struct IncompleteImage: Error, Sendable, CustomStringConvertible {
    /// The image.
    public let name: String
    /// The blob that is missing.
    public let digest: Digest

    /// One sentence: what is missing, and what to do.
    public var description: String {
        "the store has not got all of \(name): the blob \(digest) is missing; 'swbuild pull' or another build brings it"
    }
}
