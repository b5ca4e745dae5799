import OCI

extension RegistryClient {
    /// Brings a blob to a repository: nothing is sent where it has it, or the registry can take it from `sources`.
    ///
    /// `sources` are repositories of the same registry, likeliest first; at most three are tried. `file` holds the blob
    /// from its first byte on; it is read by position. `onProgress` hears how many bytes of the blob were sent so far,
    /// on the calling thread; after a broken connection the number can be smaller than before.
    /// - Throws: ``RegistryError``.
    public func push(
        _ blob: Descriptor,
        from file: CInt,
        to name: ImageReference,
        mountableFrom sources: [ImageReference],
        onProgress: @Sendable (Int64) -> Void
    ) throws(RegistryError) -> BlobPushOutcome {
        let action = "push \(blob.digest) to \(name)"
        let origins = sources.compactMap { source in try? endpoints(for: source, action).last }
        return try atRegistry(name, action) { endpoint throws(RegistryFailure) in
            if try endpoint.hasBlob(blob.digest, .pullAndPush) { return .alreadyThere }
            let upload = BlobUpload(
                endpoint: endpoint,
                blob: blob,
                file: file,
                chunkSize: configuration.uploadChunkSize
            )
            let mountable = origins.filter { $0.host === endpoint.host && $0.repository != endpoint.repository }
            return try upload.run(mountableFrom: mountable.prefix(3).map(\.repository), onProgress: onProgress)
        }
    }

    /// Whether a repository has a blob.
    /// - Throws: ``RegistryError``.
    public func hasBlob(_ digest: Digest, in name: ImageReference) throws(RegistryError) -> Bool {
        try atRegistry(name, "look for \(digest) in \(name)") { endpoint throws(RegistryFailure) in
            try endpoint.hasBlob(digest, .pull)
        }
    }

    /// Whether a repository has a manifest or an index.
    /// - Throws: ``RegistryError``.
    public func hasManifest(_ digest: Digest, in name: ImageReference) throws(RegistryError) -> Bool {
        var reference = name
        (reference.tag, reference.digest) = (nil, digest)
        do throws(RegistryError) {
            try atRegistry(reference, "look for \(digest) in \(name)") { endpoint throws(RegistryFailure) in
                if try endpoint.descriptor(of: reference) == nil { _ = try endpoint.manifest(reference) }
            }
            return true
        } catch {
            if case .notFound = error.reason { return false }
            throw error
        }
    }

    /// Puts a manifest or index under the reference's tag, or under its digest where it has no tag.
    ///
    /// Before an index, the manifests that it names have to be there.
    /// - Throws: ``RegistryError``.
    public func pushManifest(
        _ bytes: [UInt8],
        mediaType: MediaType,
        to reference: ImageReference
    ) throws(RegistryError) -> Digest {
        try atRegistry(reference, "push \(reference)") { endpoint throws(RegistryFailure) in
            try endpoint.put(bytes, mediaType, as: reference)
        }
    }
}

extension RegistryEndpoint {
    /// Source: distribution-spec 1.1, "Checking if content exists in the registry".
    func hasBlob(_ digest: Digest, _ actions: TokenScope.Actions) throws(RegistryFailure) -> Bool {
        let call = RegistryCall(
            method: .head,
            target: .path("/v2/\(repository)/blobs/\(digest)"),
            repository: repository,
            scopes: [TokenScope(repository, actions)]
        )
        let answer = try host.answer(call)
        switch answer.head.status {
        case 200..<300: return true
        case 404: return false
        default: throw host.refusal(answer, repository: repository)
        }
    }

    /// Source: distribution-spec 1.1, "Pushing Manifests".
    func put(
        _ bytes: [UInt8],
        _ mediaType: MediaType,
        as reference: ImageReference
    ) throws(RegistryFailure) -> Digest {
        guard bytes.count <= JSONValue.largestDocument else {
            throw RegistryFailure(.tooLarge(limit: Int64(JSONValue.largestDocument)))
        }
        let digest = Digest(of: bytes)
        if let expected = reference.digest, expected != digest {
            throw RegistryFailure(.wrongDigest(expected: expected, actual: digest))
        }
        let tag = reference.tag ?? (reference.digest == nil ? "latest" : nil)
        let call = RegistryCall(
            method: .put,
            target: .path("/v2/\(repository)/manifests/\(tag ?? digest.description)"),
            fields: [HTTPField(name: "Content-Type", value: mediaType.rawValue)],
            body: .bytes(bytes),
            repository: repository,
            scopes: [TokenScope(repository, .pullAndPush)]
        )
        let answer = try host.answer(call)
        guard answer.head.isSuccess else { throw host.refusal(answer, repository: repository) }
        if let kept = Self.digest(in: answer.head), kept != digest {
            throw RegistryFailure(.wrongDigest(expected: digest, actual: kept))
        }
        return digest
    }
}
