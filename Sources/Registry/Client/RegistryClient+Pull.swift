import OCI

extension RegistryClient {
    /// The manifest or index that a tag or digest names, at most 4 MiB.
    ///
    /// It is verified against the reference's digest, or the one that the registry tells.
    /// - Throws: ``RegistryError``.
    public func manifest(_ reference: ImageReference) throws(RegistryError) -> RemoteManifest {
        throw RegistryError(.notImplemented, registry: reference.registry, action: "")
    }

    /// What a tag stands for now; `nil` where the registry has no such name.
    ///
    /// It costs one HEAD, and a GET only where the registry's answer to that is not enough.
    /// - Throws: ``RegistryError``.
    public func descriptor(of reference: ImageReference) throws(RegistryError) -> Descriptor? {
        throw RegistryError(.notImplemented, registry: reference.registry, action: "")
    }

    /// A small blob (configuration) in memory, verified, of at most `limit` bytes.
    /// - Throws: ``RegistryError``.
    public func blob(_ blob: Descriptor, of name: ImageReference, limit: Int) throws(RegistryError) -> [UInt8] {
        throw RegistryError(.notImplemented, registry: name.registry, action: "")
    }

    /// Brings a blob's bytes from `sink.received` on, piece by piece, over as many connections as it takes.
    ///
    /// It returns when the sink has as many bytes as the descriptor says, and never hands over more. The digest is
    /// the sink's to check. A sink that answers `false` ends it with the reason `stoppedBySink`.
    /// - Throws: ``RegistryError``.
    public func fetch(
        _ blob: Descriptor,
        of name: ImageReference,
        into sink: any BlobSink
    ) throws(RegistryError) {
        throw RegistryError(.notImplemented, registry: name.registry, action: "")
    }

    /// Checks that credentials are good, for `login`; without any, those of the credential files are used.
    /// - Throws: ``RegistryError``.
    public func ping(_ registry: String, credentials: RegistryCredentials?) throws(RegistryError) {
        throw RegistryError(.notImplemented, registry: registry, action: "")
    }
}
