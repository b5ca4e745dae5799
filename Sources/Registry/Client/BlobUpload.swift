import OCI

/// One blob's way to a repository that does not have it.
///
/// Source: distribution-spec 1.1, "Pushing Blobs" and "Mounting a blob from another repository".
struct BlobUpload {
    /// What a registry gave for an upload: where its bytes go, and in which pieces at least.
    struct Session {
        var url: HTTPURL
        var smallestChunk: Int64
    }

    let endpoint: RegistryEndpoint
    let blob: Descriptor
    let file: CInt
    let chunkSize: Int64?
    /// The pieces for a registry, or a proxy before it, that refuses the whole: what most of them let through.
    private static let usualChunk: Int64 = 32 << 20

    private var host: RegistryHost { endpoint.host }
    private var repository: String { endpoint.repository }

    func run(
        mountableFrom sources: [String],
        onProgress: (Int64) -> Void
    ) throws(RegistryFailure) -> BlobPushOutcome {
        var session: Session?
        for source in sources {
            // What is left over of the attempt before would wait at the registry for nothing.
            if let session { abandon(session) }
            switch try mount(from: source) {
            case .mounted: return .mounted
            case .session(let begun): session = begun
            case .refused: session = nil
            }
        }
        try send(session, onProgress)
        onProgress(blob.size)
        return .uploaded
    }

    private func call(
        _ method: HTTPMethod,
        _ target: RegistryCall.Target,
        _ fields: [HTTPField] = [],
        body: HTTPBody? = .bytes([]),
        and scope: TokenScope? = nil
    ) -> RegistryCall {
        RegistryCall(
            method: method,
            target: target,
            fields: fields,
            body: body,
            repository: repository,
            scopes: [TokenScope(repository, .pullAndPush)] + [scope].compactMap(\.self)
        )
    }

    // MARK: beginning

    private enum Mounting {
        case mounted
        case session(Session)
        case refused
    }

    /// Asks the registry to take the blob from another repository: if it will not, it begins an upload.
    private func mount(from source: String) throws(RegistryFailure) -> Mounting {
        let path =
            "/v2/\(repository)/blobs/uploads/?mount=\(percentEncoded("\(blob.digest)"))"
            + "&from=\(percentEncoded(source))"
        let answer: RegistryAnswer
        do throws(RegistryFailure) {
            answer = try host.answer(call(.post, .path(path), and: TokenScope(source, .pull)))
        } catch {
            // No token for the other repository is no reason not to push to this one.
            switch error.reason {
            case .unauthorized, .denied, .noToken: return .refused
            default: throw error
            }
        }
        switch answer.head.status {
        case 201: return .mounted
        case 202: return .session(try session(answer))
        default: return .refused
        }
    }

    private func begin() throws(RegistryFailure) -> Session {
        // Whoever begins tries again as a whole.
        let answer = try host.attempt(call(.post, .path("/v2/\(repository)/blobs/uploads/")))
        guard answer.head.status == 202 else { throw refusal(answer) }
        return try session(answer)
    }

    private func session(_ answer: RegistryAnswer) throws(RegistryFailure) -> Session {
        let smallest = answer.head.value(of: "OCI-Chunk-Min-Length").flatMap { Int64($0) } ?? 0
        return Session(url: try location(answer), smallestChunk: smallest)
    }

    /// Where the registry wants to go on: relative to who answered.
    private func location(_ answer: RegistryAnswer) throws(RegistryFailure) -> HTTPURL {
        guard let text = answer.head.value(of: "Location") else {
            throw RegistryFailure(.malformed("an upload without Location"))
        }
        guard let url = answer.url.resolving(text), url.origin.isSecure || !answer.url.origin.isSecure else {
            throw RegistryFailure(.refusedRedirect(to: RegistrySaying.shown(redacted(text))))
        }
        return url
    }

    private func abandon(_ session: Session) {
        _ = try? host.attempt(call(.delete, .url(session.url), body: nil))
    }

    // MARK: sending

    private func send(_ begun: Session?, _ onProgress: (Int64) -> Void) throws(RegistryFailure) {
        var next = begun
        var chunk = chunkSize.map { max($0, 1) }
        try host.network.retrying { () throws(RegistryFailure) in
            let session: Session
            if let begun = next { session = begun } else { session = try begin() }
            // An upload that failed is not taken up: what the registry has of it is not sure.
            next = nil
            if let size = chunk {
                return try sendPieces(of: size, session, onProgress)
            }
            guard try !sendWhole(session, onProgress) else { return }
            chunk = Self.usualChunk
            try sendPieces(of: Self.usualChunk, try begin(), onProgress)
        }
    }

    /// `false` where the registry, or what stands before it, takes only smaller pieces.
    private func sendWhole(_ session: Session, _ onProgress: (Int64) -> Void) throws(RegistryFailure) -> Bool {
        let answer = try host.attempt(
            call(
                .put,
                .url(session.url.adding("digest", "\(blob.digest)")),
                [HTTPField(name: "Content-Type", value: "application/octet-stream")],
                body: .file(file, offset: 0, size: blob.size)
            ),
            onProgress: onProgress
        )
        if answer.head.status == 413, blob.size > Self.usualChunk { return false }
        try check(answer)
        return true
    }

    private func sendPieces(
        of size: Int64,
        _ session: Session,
        _ onProgress: (Int64) -> Void
    ) throws(RegistryFailure) {
        var url = session.url
        var offset: Int64 = 0
        while offset < blob.size {
            let count = min(max(size, session.smallestChunk), blob.size - offset)
            let start = offset
            let fields = [
                HTTPField(name: "Content-Type", value: "application/octet-stream"),
                HTTPField(name: "Content-Range", value: "\(start)-\(start + count - 1)"),
            ]
            let answer = try host.attempt(
                call(.patch, .url(url), fields, body: .file(file, offset: start, size: count)),
                onProgress: { onProgress(start + $0) }
            )
            guard answer.head.status == 202 || answer.head.status == 204 else { throw refusal(answer) }
            url = try location(answer)
            offset = start + count
            // `0-9`: the last byte that is there, where the registry took less than it was sent.
            if let last = answer.head.value(of: "Range")?.split(separator: "-").last.flatMap({ Int64($0) }) {
                guard last < offset, last >= start else {
                    throw RegistryFailure(.malformed("an upload that ends at byte \(last) after \(offset) were sent"))
                }
                offset = last + 1
            }
        }
        try check(try host.attempt(call(.put, .url(url.adding("digest", "\(blob.digest)")))))
    }

    private func check(_ answer: RegistryAnswer) throws(RegistryFailure) {
        guard answer.head.status == 201 || answer.head.status == 204 else { throw refusal(answer) }
        if let kept = RegistryEndpoint.digest(in: answer.head), kept != blob.digest {
            throw RegistryFailure(.wrongDigest(expected: blob.digest, actual: kept))
        }
    }

    /// An upload that the registry does not know any more is begun anew.
    private func refusal(_ answer: RegistryAnswer) -> RegistryFailure {
        var failure = host.refusal(answer, repository: repository)
        failure.mayPass = [404, 416].contains(answer.head.status)
        return failure
    }
}
