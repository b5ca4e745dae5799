import LayerDiff
import OCI
import Store
import SystemPackage

/// Writes images of the store as an archive: `swbuild save`.
public struct ImageSaver: Sendable {
    private let store: Store

    /// A saver of images of `store`.
    public init(store: Store) { self.store = store }

    /// Writes `images`, named as they were asked for, to an open file; Docker's form takes the image for `platform` of
    /// an index.
    /// - Throws: ``UnknownImage``, ``IncompleteImage``, ``BlobError``, ``DocumentError``, ``LayerError``.
    public func save(_ images: [String], as form: ArchiveForm, platform: Platform, to file: CInt) throws {
        let hold = try store.holdForBuild()
        defer { withExtendedLifetime(hold) {} }
        let archive = try ImageArchive(collect(images), of: store.images)
        try store.verify(archive.blobs)
        let options = LayerOptions(compression: .none)
        let entries = try archive.entries(form, platform: platform)
        _ = try LayerWriter.begin(entries, blob: FileDescriptor(rawValue: file), options: options).finish()
    }

    /// The images in the order given, one that is named twice with both names.
    private func collect(_ names: [String]) throws -> [NamedImage] {
        var result: [NamedImage] = []
        let stored = StoredImages(store: store)
        for text in names {
            var entry = try stored.entry(text)
            // An image that was asked for by digest has no name in the archive.
            let name = (try? ImageReference(parsing: text))?.tagged
            let isNamed = entry.annotations[ImageLayout.referenceName].map { $0 == name?.familiar } ?? false
            let names = isNamed ? [name].compactMap { $0 } : []
            entry.annotations[ImageLayout.referenceName] = nil
            if let index = result.firstIndex(where: { $0.descriptor.digest == entry.digest }) {
                for name in names where !result[index].names.contains(name) { result[index].names.append(name) }
            } else {
                result.append(NamedImage(descriptor: entry, names: names))
            }
        }
        return result
    }
}
