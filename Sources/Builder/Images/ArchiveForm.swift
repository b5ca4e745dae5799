import OCI

/// The form of an archive of images.
public enum ArchiveForm: String, Sendable, Hashable, CaseIterable {
    /// What `docker save` writes: an OCI layout and a `manifest.json` for `docker load`.
    case docker
    /// An OCI layout in a tar (image-spec, image-layout.md).
    case oci
}

/// An image that goes into an archive, and the names that it has there.
struct NamedImage: Sendable {
    var descriptor: Descriptor
    var names: [ImageReference]
}

extension NamedImage {
    /// The entries of a layout's index for this image.
    ///
    /// As buildx names images in a layout: the tag for OCI's tools, the full name for containerd's.
    var indexEntries: [Descriptor] {
        guard !names.isEmpty else { return [descriptor] }
        return names.map { name in
            var entry = descriptor
            entry.annotations[ImageLayout.referenceName] = name.tagged.tag ?? "latest"
            entry.annotations["io.containerd.image.name"] = name.tagged.description
            return entry
        }
    }
}
