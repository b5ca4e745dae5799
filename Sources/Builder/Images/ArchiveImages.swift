import Glibc
import OCI
import Store

/// Base images from archive files: brought into the store when they are first needed, and found there until the file
/// changes.
struct ArchiveImages: Sendable {
    let store: Store

    /// The image of a name in an archive, or its only one, for a platform.
    func resolve(_ path: String, form: ArchiveForm, name: String?, platform: Platform) throws -> ResolvedImage {
        let began = Store.now
        guard let stamp = FileStamp(path) else { throw HostFileError("open", path, code: errno) }
        let key = key((path, stamp), form, name, platform)
        if let known = try known(key) { return known }
        let work = try store.makeWorkDirectory()
        let loader = ImageLoader(store: store)
        let layout = try loader.layout(ofArchive: path, form: form, work: work)
        let entries = try layout.index().manifests
        let chosen = name.map { name in entries.filter { Self.answers($0, to: name) } } ?? entries
        guard !chosen.isEmpty else {
            let have = entries.compactMap { Self.name(of: $0) }
            throw ImageNotFound(layout: path, reason: .tag(name ?? "", have: have))
        }
        try layout.updateIndex { $0.manifests = chosen.map(\.unnamed) }
        let image = try layout.resolve(tag: nil, digest: nil, platform: platform)
        try loader.bring(ImageTree(image.descriptor, in: layout), from: layout, moving: true)
        // One that was changed just now may be changed again without a sign.
        if stamp.isSettled(at: began), stamp == FileStamp(path) {
            try store.insertSelection(key, digest: image.descriptor.digest)
        }
        return ResolvedImage(
            layout: store.images,
            descriptor: image.descriptor,
            manifest: image.manifest,
            config: image.config
        )
    }

    /// What the answer depends on: the file, as far as its status tells, and what is wanted of it.
    private func key(
        _ file: (path: String, stamp: FileStamp),
        _ form: ArchiveForm,
        _ name: String?,
        _ platform: Platform
    ) -> Digest {
        var fields = FieldHasher(domain: "image archive")
        fields.add([file.path, form.rawValue, name ?? "", platform.description, file.stamp.text])
        return fields.finalize()
    }

    /// The image that the same file gave before, where the store still has all of it.
    private func known(_ key: Digest) throws -> ResolvedImage? {
        guard let digest = try store.selectionDigest(key) else { return nil }
        var information = stat()
        guard stat(store.images.blobPath(digest), &information) == 0 else { return nil }
        let descriptor = Descriptor(mediaType: .manifest, digest: digest, size: Int64(information.st_size))
        guard let image = try? store.images.resolve(descriptor, platform: .host) else { return nil }
        for diffID in image.config.diffIDs where try store.layer(diffID) == nil { return nil }
        return image
    }

    /// Whether an entry has that name: its tag, or as much of its full name as was given.
    private static func answers(_ entry: Descriptor, to text: String) -> Bool {
        let tag = entry.annotations[ImageLayout.referenceName]
        if tag == text { return true }
        guard let name = ImageLoader.name(of: entry) else { return false }
        return name.tagged == (try? ImageReference(parsing: text))?.tagged
    }

    private static func name(of entry: Descriptor) -> String? {
        ImageLoader.name(of: entry)?.familiar ?? entry.annotations[ImageLayout.referenceName]
    }
}

extension Descriptor {
    /// The same without a name.
    var unnamed: Descriptor {
        var result = self
        result.annotations[ImageLayout.referenceName] = nil
        result.annotations["io.containerd.image.name"] = nil
        return result
    }
}
