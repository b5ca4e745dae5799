import OCI
import Registry
import Store

/// Where a build's base images come from: layouts and archives that contexts name, the store, and registries.
struct BuildImages: ImageSource {
    let store: Store
    let puller: ImagePuller
    let policy: PullPolicy
    let sources: UsedSources

    func resolve(_ source: NamedContext.Source, platform: Platform) throws -> ResolvedImage {
        let image = try find(source, platform: platform)
        try sources.use(image, source)
        return image
    }

    private func find(_ source: NamedContext.Source, platform: Platform) throws -> ResolvedImage {
        switch source {
        case .layout(let path, let tag, let digest):
            return try ImageLayout(opening: path).resolve(tag: tag, digest: digest, platform: platform)
        case .imageArchive(let path, let form, let name):
            return try ArchiveImages(store: store).resolve(path, form: form, name: name, platform: platform)
        case .image(let reference): return try find(reference, platform: platform)
        case .directory, .git, .archive: throw NotAnImage()
        }
    }

    private func find(_ reference: ImageReference, platform: Platform) throws -> ResolvedImage {
        var name = reference.tagged
        var known = try entry(of: name)
        // A registry is asked by the name that registries.conf means; where none is, what the store calls so comes first.
        if name.shortName != nil, known == nil || policy == .always && name.digest == nil {
            name = try puller.registries.client().unaliased(name)
            known = try entry(of: name)
        }
        // What a digest names does not change.
        if policy == .always, name.digest == nil {
            known = try pulling(reference) {
                guard let now = try puller.registries.client().descriptor(of: name) else {
                    throw NotAtRegistry(reference: name)
                }
                return now.digest == known?.digest ? known : nil
            }
        }
        if let known, var image = try stored(known, platform: platform) {
            image.origin = ImageOrigin(reference: name, top: known, isNamed: true)
            return image
        }
        guard policy != .never else { throw ImageUnavailable(reference: reference, reason: nil) }
        return try pulling(reference) {
            let found = try puller.find(name, known: known, platform: platform)
            var image = found.image
            image.origin = found.origin
            return image
        }
    }

    /// The store's entry of a name or digest.
    private func entry(of name: ImageReference) throws -> Descriptor? {
        try store.images.index().manifests.first { entry in
            if let digest = name.digest { return entry.digest == digest }
            return entry.annotations[ImageLayout.referenceName] == name.familiar
        }
    }

    /// The image for a platform, where the store has its documents.
    private func stored(_ entry: Descriptor, platform: Platform) throws -> ResolvedImage? {
        do {
            return try store.images.resolve(entry, platform: platform)
        } catch let error as BlobError {
            guard case .unreadable(let reason) = error.problem, reason.isMissing else { throw error }
            return nil
        }
    }

    private func pulling<Value>(_ name: ImageReference, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as RegistryError {
            guard !puller.registries.isCancelled else { throw BuildError.cancelled }
            throw ImageUnavailable(reference: name, reason: error)
        }
    }
}

/// A directory was taken for an image: a mistake of the planner's, not of the user's.
struct NotAnImage: Error, CustomStringConvertible {
    var description: String { "a directory was taken for an image (please report this)" }
}

/// A name that a registry does not have.
struct NotAtRegistry: Error, CustomStringConvertible {
    let reference: ImageReference

    var description: String { "\(reference.registry) has no image \(reference.familiar)" }
}

/// An image that is not on this machine, and did not come from elsewhere.
struct ImageUnavailable: Error, CustomStringConvertible {
    let reference: ImageReference
    /// What its registry said; `nil` where it was not to be asked.
    let reason: RegistryError?

    var description: String {
        guard let reason else {
            return "\(reference.familiar) is not in the store, and --pull=never asks no registry for it"
        }
        return "\(reference.familiar) is not in the store, and could not be had from its registry: \(reason)"
    }
}
