import OCI

extension RegistryClient {
    /// Brings a blob to a repository: nothing is sent where it has it, or the registry can take it from `sources`.
    ///
    /// `sources` are repositories of the same registry, likeliest first. `file` holds the blob from its first byte on;
    /// it is read by position. `onProgress` hears how many bytes of the blob were sent so far, on the calling thread;
    /// after a broken connection the number can be smaller than before.
    /// - Throws: ``RegistryError``.
    public func push(
        _ blob: Descriptor,
        from file: CInt,
        to name: ImageReference,
        mountableFrom sources: [ImageReference],
        onProgress: @Sendable (Int64) -> Void
    ) throws(RegistryError) -> BlobPushOutcome {
        throw RegistryError(.notImplemented, registry: name.registry, action: "")
    }

    /// Whether a repository has a blob.
    /// - Throws: ``RegistryError``.
    public func hasBlob(_ digest: Digest, in name: ImageReference) throws(RegistryError) -> Bool {
        throw RegistryError(.notImplemented, registry: name.registry, action: "")
    }

    /// Puts a manifest or index under the reference's tag, or under its digest where it has no tag.
    /// - Throws: ``RegistryError``.
    public func pushManifest(
        _ bytes: [UInt8],
        mediaType: MediaType,
        to reference: ImageReference
    ) throws(RegistryError) -> Digest {
        throw RegistryError(.notImplemented, registry: reference.registry, action: "")
    }
}
