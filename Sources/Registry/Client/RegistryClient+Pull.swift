import OCI

extension RegistryClient {
    private static let largestManifest = JSONValue.largestDocument

    /// The manifest or index that a tag or digest names, at most 4 MiB.
    ///
    /// It is verified against the reference's digest, or the one that the registry tells. What an index names is asked
    /// for where the index was: `image` is the name that led to it.
    /// - Throws: ``RegistryError``.
    public func manifest(
        _ reference: ImageReference,
        of image: ImageReference? = nil
    ) throws(RegistryError) -> RemoteManifest {
        try anywhere(image ?? reference, "pull \(reference)") { endpoint throws(RegistryFailure) in
            try endpoint.manifest(reference)
        }
    }

    /// What a tag stands for now; `nil` where the registry has no such name.
    ///
    /// It costs one HEAD, and a GET only where the registry's answer to that is not enough.
    /// - Throws: ``RegistryError``.
    public func descriptor(of reference: ImageReference) throws(RegistryError) -> Descriptor? {
        do throws(RegistryError) {
            return try anywhere(reference, "look up \(reference)") { endpoint throws(RegistryFailure) in
                if let descriptor = try endpoint.descriptor(of: reference) { return descriptor }
                return try endpoint.manifest(reference).descriptor
            }
        } catch {
            if case .notFound = error.reason { return nil }
            throw error
        }
    }

    /// A small blob (configuration) in memory, verified, of at most `limit` bytes.
    /// - Throws: ``RegistryError``.
    public func blob(_ blob: Descriptor, of name: ImageReference, limit: Int) throws(RegistryError) -> [UInt8] {
        try anywhere(name, "pull \(blob.digest) of \(name)") { endpoint throws(RegistryFailure) in
            guard blob.size <= limit else { throw RegistryFailure(.tooLarge(limit: Int64(limit))) }
            let sink = MemorySink()
            try endpoint.fetch(blob, into: sink)
            let actual = Digest(of: sink.bytes)
            guard actual == blob.digest else {
                throw RegistryFailure(.wrongDigest(expected: blob.digest, actual: actual))
            }
            return sink.bytes
        }
    }

    /// Brings a blob's bytes from `sink.received` on, piece by piece, over as many connections as it takes.
    ///
    /// It returns when the sink has as many bytes as the descriptor says, and never hands over more. The digest is
    /// the sink's to check; where it is wrong, the mirrors that are returned may be to blame (``distrust(_:for:)``). A
    /// sink that answers `false` ends it with the reason `stoppedBySink`.
    /// - Returns: The mirrors that some of the bytes came from.
    /// - Throws: ``RegistryError``.
    @discardableResult
    public func fetch(
        _ blob: Descriptor,
        of name: ImageReference,
        into sink: any BlobSink
    ) throws(RegistryError) -> [RegistryMirror] {
        var mirrors: [RegistryMirror] = []
        try anywhere(name, "pull \(blob.digest) of \(name)") { endpoint throws(RegistryFailure) in
            let before = sink.received
            defer { if sink.received > before, let mirror = endpoint.mirror { mirrors.append(mirror) } }
            try endpoint.fetch(blob, into: sink)
        }
        return mirrors
    }
}

extension RegistryEndpoint {
    private static let documentTypes: [MediaType] = [.index, .manifest, .dockerIndex, .dockerManifest]

    private static let accept = HTTPField(
        name: "Accept",
        value: documentTypes.map(\.rawValue).joined(separator: ", ")
    )

    /// Source: distribution-spec 1.1, "Pulling manifests".
    private func manifestCall(_ method: HTTPMethod, _ reference: ImageReference) -> RegistryCall {
        let name = reference.digest?.description ?? reference.tag ?? "latest"
        return RegistryCall(
            method: method,
            target: .path("/v2/\(repository)/manifests/\(name)"),
            fields: [Self.accept],
            repository: repository,
            scopes: [TokenScope(repository, .pull)]
        )
    }

    func manifest(_ reference: ImageReference) throws(RegistryFailure) -> RemoteManifest {
        let body = AnswerBody(limit: JSONValue.largestDocument)
        let answer = try host.answer(manifestCall(.get, reference), into: body)
        guard answer.head.isSuccess else { throw host.refusal(answer, repository: repository) }
        let actual = Digest(of: answer.body)
        if let expected = reference.digest ?? Self.digest(in: answer.head), expected != actual {
            throw RegistryFailure(.wrongDigest(expected: expected, actual: actual))
        }
        let type = try mediaType(answer)
        let descriptor = Descriptor(mediaType: type, digest: actual, size: Int64(answer.body.count))
        return RemoteManifest(bytes: answer.body, descriptor: descriptor)
    }

    /// What HEAD tells; `nil` where that is not all.
    func descriptor(of reference: ImageReference) throws(RegistryFailure) -> Descriptor? {
        let answer = try host.answer(manifestCall(.head, reference))
        guard answer.head.isSuccess else {
            // Registries that know no HEAD here say so in many ways; what is refused is refused to GET as well.
            if [400, 405, 501].contains(answer.head.status) { return nil }
            throw host.refusal(answer, repository: repository)
        }
        guard let digest = Self.digest(in: answer.head), reference.digest == nil || digest == reference.digest,
            let size = answer.head.value(of: "Content-Length").flatMap({ Int64($0) }), size > 0,
            let type = Self.contentType(answer.head), type.isIndex || type.isManifest
        else { return nil }
        return Descriptor(mediaType: type, digest: digest, size: size)
    }

    /// Source: distribution-spec 1.1, "Pulling blobs".
    func fetch(_ blob: Descriptor, into sink: any BlobSink) throws(RegistryFailure) {
        guard sink.received < blob.size else {
            guard sink.received == blob.size else {
                throw RegistryFailure(.wrongSize(expected: blob.size, actual: sink.received))
            }
            return
        }
        let body = BlobBody(sink, size: blob.size)
        let call = RegistryCall(
            target: .path("/v2/\(repository)/blobs/\(blob.digest)"),
            repository: repository,
            scopes: [TokenScope(repository, .pull)]
        )
        try host.network.retrying(progress: { body.progress }) { () throws(RegistryFailure) in
            let answer = try host.attempt(call, into: body)
            if answer.head.status == 416, body.giveUpRanges() {
                throw RegistryFailure(.status(416, said: ""), mayPass: true)
            }
            guard answer.head.isSuccess else { throw host.refusal(answer, repository: repository) }
        }
    }

    /// What the registry calls what it sent; other algorithms than ours say nothing here.
    static func digest(in head: HTTPHead) -> Digest? {
        head.value(of: "Docker-Content-Digest").flatMap { try? Digest(parsing: $0) }
    }

    private static func contentType(_ head: HTTPHead) -> MediaType? {
        guard let value = head.value(of: "Content-Type") else { return nil }
        let text = String(value.prefix { $0 != ";" && $0 != " " })
        let type = MediaType(rawValue: text.lowercased())
        // What is not known is shown as it came: what is to be left out of it would not be found in lower case.
        return text.isEmpty ? nil : type.isIndex || type.isManifest ? type : MediaType(rawValue: text)
    }

    /// The type that head and document agree on: where they do not, others could see another image than this program.
    ///
    /// Source: image-spec 1.1, manifest.md and image-index.md, `mediaType`.
    private func mediaType(_ answer: RegistryAnswer) throws(RegistryFailure) -> MediaType {
        let announced = Self.contentType(answer.head)
        let json: JSONValue
        do {
            json = try JSONValue(parsing: answer.body, as: "manifest")
        } catch {
            throw RegistryFailure(.wrongMediaType(announced.map { shown($0) } ?? "something that is no JSON"))
        }
        let written = json["mediaType"]?.string.map { MediaType(rawValue: $0) }
        let known = [announced, written].compactMap(\.self).filter { $0.isIndex || $0.isManifest }
        if known.count == 2, known[0] != known[1] {
            throw RegistryFailure(.wrongMediaType("\(shown(known[1])) as \(shown(known[0]))"))
        }
        if let announced, known.isEmpty, !["application/json", "text/plain"].contains(announced.rawValue.lowercased()) {
            throw RegistryFailure(.wrongMediaType(shown(announced)))
        }
        let isIndex = json["manifests"]?.array != nil
        let isManifest = json["layers"]?.array != nil || json["config"] != nil
        guard isIndex != isManifest else {
            throw RegistryFailure(.wrongMediaType("a document of no certain kind"))
        }
        let type = known.first ?? (isIndex ? .index : .manifest)
        guard type.isIndex == isIndex else {
            throw RegistryFailure(.wrongMediaType("another document as \(shown(type))"))
        }
        return type
    }

    private func shown(_ type: MediaType) -> String {
        type.rawValue.contains("manifest.v1")
            ? "a manifest of Docker's schema 1 (push the image again with a newer tool)"
            : RegistrySaying.shown(String(host.authorizer.redacting(type.rawValue).prefix(100)))
    }
}
