import OCI
import Store

/// Why images cannot become one index.
public enum IndexError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Two of them are for one platform.
    case twice(Platform, first: String, second: String)

    /// One sentence: what is wrong, and what to do.
    public var description: String {
        switch self {
        case .twice(let platform, let first, let second) where first == second:
            "\(first) has two images for \(platform)"
        case .twice(let platform, let first, let second):
            "\(first) and \(second) are both for \(platform), and an index names one image for each platform"
        }
    }
}

extension StoredImages {
    /// Makes one index of images and of what indexes name, and gives it names.
    /// - Throws: ``IndexError``, ``UnknownImage``, ``BlobError``, ``DocumentError`` or ``HostFileError``.
    public func makeIndex(of images: [String], as names: [ImageReference]) throws -> Descriptor {
        let hold = try store.holdForBuild()
        defer { withExtendedLifetime(hold) {} }
        var sources: [Platform: String] = [:]
        var manifests: [Descriptor] = []
        for image in images {
            for var member in try members(of: image) where !manifests.contains(where: { $0.digest == member.digest }) {
                if let platform = member.platform, !member.isAttestation {
                    if let first = sources[platform] {
                        throw IndexError.twice(platform, first: first, second: image)
                    }
                    sources[platform] = image
                }
                member.annotations[ImageLayout.referenceName] = nil
                manifests.append(member)
            }
        }
        let index = try store.images.write(ImageIndex(manifests: manifests).json.encoded(), as: .index)
        for name in names { try store.images.tag(index, as: name.tagged.familiar) }
        return index
    }

    /// What an image puts into an index: itself, or what an index names.
    private func members(of image: String) throws -> [Descriptor] {
        let entry = try entry(image)
        let bytes = try store.images.document(entry)
        if entry.mediaType.isIndex { return try ImageIndex(parsing: bytes, as: "index \(entry.digest)").manifests }
        let manifest = try ImageManifest(parsing: bytes, as: "manifest \(entry.digest)")
        var member = entry
        member.platform = try ImageConfig(
            parsing: store.images.document(manifest.config),
            as: "image configuration \(manifest.config.digest)"
        ).platform
        return [member]
    }
}
