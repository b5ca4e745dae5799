import OCI

/// One blob's way to a repository that does not have it.
///
/// Source: distribution-spec 1.1, "Pushing Blobs" and "Mounting a blob from another repository".
struct BlobUpload {
    /// What a registry gave for an upload: where its bytes go, and in which pieces at least.
    struct Session {
        var url: HTTPURL
        var smallestChunk: Int64
        /// How many bytes the registry is known to have.
        var offset: Int64 = 0
        /// Whether a request failed: what the registry has is not known then.
        var isDoubtful = false
        /// Whether it was taken up after a failure.
        var isResumed = false
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
            throw RegistryFailure(.refusedRedirect(to: RegistrySaying.shown(host.authorizer.redacting(redacted(text)))))
        }
        return url
    }

    private func abandon(_ session: Session) {
        _ = try? host.attempt(call(.delete, .url(session.url), body: nil))
    }

    // MARK: sending

    private func send(_ begun: Session?, _ onProgress: (Int64) -> Void) throws(RegistryFailure) {
        var last = begun
        var chunk = chunkSize.map { max($0, 1) }
        var mayResume = true
        try host.network.retrying(progress: { last?.offset ?? 0 }) { () throws(RegistryFailure) in
            var session: Session
            if let known = last, let standing = try standing(of: known, mayResume: mayResume) {
                session = standing
            } else {
                last = nil
                session = try begin()
            }
            do throws(RegistryFailure) {
                try complete(&session, &chunk, onProgress)
            } catch {
                session.isDoubtful = true
                last = session
                // What was put together of parts may have become something else: it is sent once more as a whole.
                guard session.isResumed, error.isAnswer else { throw error }
                mayResume = false
                throw RegistryFailure(error.reason, mayPass: true)
            }
        }
    }

    /// How far an upload is, which the registry is asked after a failure; `nil` where nothing of it can be used.
    ///
    /// Source: distribution-spec 1.1, "Resuming an upload" (`GET` of its location).
    private func standing(of session: Session, mayResume: Bool) throws(RegistryFailure) -> Session? {
        guard session.isDoubtful else { return session }
        guard mayResume else {
            abandon(session)
            return nil
        }
        let answer = try host.attempt(call(.get, .url(session.url), body: nil))
        guard answer.head.isSuccess else { return nil }
        var result = session
        if answer.head.value(of: "Location") != nil { result.url = try location(answer) }
        // `0-0` is what some say of nothing, and others of one byte.
        guard let last = Self.lastByte(answer), last > 0, last < blob.size else {
            abandon(result)
            return nil
        }
        (result.offset, result.isDoubtful, result.isResumed) = (last + 1, false, true)
        return result
    }

    /// The last byte that a registry has: of `0-9` the 9.
    private static func lastByte(_ answer: RegistryAnswer) -> Int64? {
        guard let parts = answer.head.value(of: "Range")?.split(separator: "-"), parts.count == 2 else { return nil }
        return Int64(parts[1])
    }

    /// Sends what is missing; `session` is as far as is known, also where this fails.
    private func complete(
        _ session: inout Session,
        _ chunk: inout Int64?,
        _ onProgress: (Int64) -> Void
    ) throws(RegistryFailure) {
        if chunk == nil, session.offset == 0 {
            guard try !sendWhole(session, onProgress) else { return }
            chunk = Self.usualChunk
            session = try begin()
        }
        try sendPieces(of: chunk ?? blob.size, &session, onProgress)
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
        _ session: inout Session,
        _ onProgress: (Int64) -> Void
    ) throws(RegistryFailure) {
        while session.offset < blob.size {
            let start = session.offset
            let count = min(max(size, session.smallestChunk), blob.size - start)
            let fields = [
                HTTPField(name: "Content-Type", value: "application/octet-stream"),
                HTTPField(name: "Content-Range", value: "\(start)-\(start + count - 1)"),
            ]
            let answer = try host.attempt(
                call(.patch, .url(session.url), fields, body: .file(file, offset: start, size: count)),
                onProgress: { onProgress(start + $0) }
            )
            guard answer.head.status == 202 || answer.head.status == 204 else { throw refusal(answer) }
            session.url = try location(answer)
            session.offset = start + count
            // The registry may have taken less than it was sent.
            if let last = Self.lastByte(answer) {
                guard last < session.offset, last >= start else {
                    let why = "an upload that ends at byte \(last) after \(session.offset) were sent"
                    throw RegistryFailure(.malformed(why))
                }
                session.offset = last + 1
            }
        }
        try check(try host.attempt(call(.put, .url(session.url.adding("digest", "\(blob.digest)")))))
    }

    private func check(_ answer: RegistryAnswer) throws(RegistryFailure) {
        guard answer.head.status == 201 || answer.head.status == 204 else { throw refusal(answer) }
        if let kept = RegistryEndpoint.digest(in: answer.head), kept != blob.digest {
            throw RegistryFailure(.wrongDigest(expected: blob.digest, actual: kept))
        }
    }

    /// An upload that the registry does not know any more, or is elsewhere with, is not given up.
    private func refusal(_ answer: RegistryAnswer) -> RegistryFailure {
        var failure = host.refusal(answer, repository: repository)
        failure.mayPass = [404, 416].contains(answer.head.status)
        return failure
    }
}
