import OCI
import Synchronization

@testable import Registry

/// A registry on loopback that keeps what it is given, and goes wrong where a test says so.
final class FakeRegistry: Sendable {
    typealias Request = LoopbackServer.Request

    struct State {
        var blobs: [String: [UInt8]] = [:]
        /// By tag or digest: media type and bytes.
        var manifests: [String: (type: String, bytes: [UInt8])] = [:]
        /// Unfinished uploads, by number.
        var uploads: [String: [UInt8]] = [:]
        var count = 0
        /// How many bytes are kept of the requests that bring some, one after the other, before they fail.
        var interruptions: [Int] = []
    }

    let state = Mutex(State())
    private let fault: @Sendable (Request) -> String?
    private let running = Mutex<LoopbackServer?>(nil)

    /// Begins to serve; where `fault` answers, that is the answer.
    init(keepsConnections: Bool = false, fault: @escaping @Sendable (Request) -> String? = { _ in nil }) throws {
        self.fault = fault
        let server = try LoopbackServer(keepsConnections: keepsConnections) { [self] request in answer(request) }
        running.withLock { $0 = server }
    }

    func stop() { running.withLock { $0?.stop() } }

    private var server: LoopbackServer? { running.withLock { $0 } }
    var host: String { "127.0.0.1:\(server?.port ?? 0)" }
    var requests: [Request] { server?.requests ?? [] }
    var connections: Int { server?.connections ?? 0 }
    /// `GET /v2/…`, without what is alike in all.
    var lines: [String] { requests.map { "\($0.method) \($0.path)" } }

    /// A repository's name here.
    func name(_ repository: String, _ rest: String = "") throws -> ImageReference {
        try ImageReference(parsing: "\(host)/\(repository)\(rest)")
    }

    func addBlob(_ content: String) -> Descriptor {
        let bytes = Array(content.utf8)
        let digest = Digest(of: bytes)
        state.withLock { $0.blobs["\(digest)"] = bytes }
        return Descriptor(mediaType: .layer(.none), digest: digest, size: Int64(bytes.count))
    }

    @discardableResult
    func addManifest(_ text: String, tag: String, type: MediaType = .manifest) -> Digest {
        let bytes = Array(text.utf8)
        let digest = Digest(of: bytes)
        state.withLock { state in
            for name in [tag, "\(digest)"] { state.manifests[name] = (type.rawValue, bytes) }
        }
        return digest
    }

    // MARK: answers

    private func answer(_ request: Request) -> String {
        if let answer = fault(request) { return answer }
        if request.path == "/v2/" { return ok("{}") }
        guard let last = request.path.split(separator: "/").last.map(String.init) else { return status(404) }
        if request.path.contains("/manifests/") { return manifest(request, name: last) }
        if request.path.contains("/uploads/") { return upload(request) }
        guard let blob = state.withLock({ $0.blobs[last] }) else { return status(404) }
        return content(request, String(decoding: blob, as: UTF8.self))
    }

    private func content(_ request: Request, _ text: String, _ headers: [String] = []) -> String {
        guard request.method == "GET" else { return status(200, headers, length: text.utf8.count) }
        if let range = request.value(of: "Range"), let first = Int(range.dropFirst(6).prefix { $0 != "-" }) {
            let rest = String(text.dropFirst(first))
            let range = "Content-Range: bytes \(first)-\(text.utf8.count - 1)/\(text.utf8.count)"
            return status(206, headers + [range], length: rest.utf8.count) + rest
        }
        return ok(text, headers: headers)
    }

    private func manifest(_ request: Request, name: String) -> String {
        if request.method == "PUT" {
            let digest = Digest(of: request.body)
            let type = request.value(of: "Content-Type") ?? ""
            state.withLock { state in
                for name in [name, "\(digest)"] { state.manifests[name] = (type, request.body) }
            }
            return status(201, ["Docker-Content-Digest: \(digest)"])
        }
        guard let (type, bytes) = state.withLock({ $0.manifests[name] }) else {
            return refusal(404, "MANIFEST_UNKNOWN", "manifest unknown")
        }
        let headers = ["Content-Type: \(type)", "Docker-Content-Digest: \(Digest(of: bytes))"]
        return content(request, String(decoding: bytes, as: UTF8.self), headers)
    }

    private func upload(_ request: Request) -> String {
        let parts = request.path.split(separator: "?", maxSplits: 1).map(String.init)
        let query = parts.count == 2 ? parts[1] : ""
        let number = parts[0].split(separator: "/").last.map(String.init) ?? ""
        return state.withLock { state in
            if !request.body.isEmpty, !state.interruptions.isEmpty {
                state.uploads[number, default: []] += request.body.prefix(state.interruptions.removeFirst())
                return status(503)
            }
            switch request.method {
            case "GET":
                guard let bytes = state.uploads[number] else { return refusal(404, "BLOB_UPLOAD_UNKNOWN", "unknown") }
                let range = "Range: 0-\(max(bytes.count - 1, 0))"
                return status(204, ["Location: \(parts[0])?state=\(bytes.count)", range])
            case "POST":
                if let mount = query.split(separator: "&").first(where: { $0.hasPrefix("mount=") }) {
                    let digest = percentDecoded(mount.dropFirst(6).utf8)
                    if state.blobs[digest] != nil { return status(201) }
                }
                state.count += 1
                state.uploads["\(state.count)"] = []
                return status(202, ["Location: /v2/x/blobs/uploads/\(state.count)?state=a"])
            case "PATCH":
                let bytes = (state.uploads[number] ?? []) + request.body
                state.uploads[number] = bytes
                return status(202, ["Location: \(request.path)", "Range: 0-\(bytes.count - 1)"])
            case "PUT":
                guard let begun = state.uploads.removeValue(forKey: number) else { return status(404) }
                let bytes = begun + request.body
                let digest = "\(Digest(of: bytes))"
                guard query.contains("digest=\(percentEncoded(digest))") else {
                    return refusal(400, "DIGEST_INVALID", "the digest is wrong")
                }
                state.blobs[digest] = bytes
                return status(201, ["Docker-Content-Digest: \(digest)"])
            default:
                state.uploads[number] = nil
                return status(204)
            }
        }
    }
}

/// An answer without a body.
func status(_ status: Int, _ headers: [String] = [], length: Int = 0) -> String {
    let lines = ["HTTP/1.1 \(status) Text"] + (status == 204 ? [] : ["Content-Length: \(length)"]) + headers
    return lines.map { $0 + "\r\n" }.joined() + "\r\n"
}

/// A refusal as registries write it.
func refusal(_ code: Int, _ name: String, _ message: String, _ headers: [String] = []) -> String {
    let body = "{\"errors\":[{\"code\":\"\(name)\",\"message\":\"\(message)\"}]}"
    return status(code, headers, length: body.utf8.count) + body
}

/// Settings for tests: trying again costs no time.
func quickly(_ change: (inout RegistryConfiguration) -> Void = { _ in }) -> RegistryConfiguration {
    var configuration = RegistryConfiguration()
    configuration.retries = RetryPolicy(maximumFailures: 3, firstWaitMilliseconds: 0, longestWaitMilliseconds: 0)
    change(&configuration)
    return configuration
}

/// A sink that remembers, and refuses what goes beyond a limit.
final class RecordingSink: BlobSink {
    private(set) var bytes: [UInt8]
    private let limit: Int
    var received: Int64 { Int64(bytes.count) }
    var text: String { String(decoding: bytes, as: UTF8.self) }

    init(_ begun: String = "", limit: Int = .max) {
        bytes = Array(begun.utf8)
        self.limit = limit
    }

    func receive(_ piece: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count + piece.count <= limit else { return false }
        bytes += piece
        return true
    }
}

/// Credentials in a file of their own, which is there as long as `scratch` is.
func credentials(_ json: String, in scratch: ScratchDirectory) throws -> CredentialStore {
    let name = "\(Digest(of: json.utf8))/auth.json"
    try scratch.write(json, to: name)
    return CredentialStore(
        environment: ["REGISTRY_AUTH_FILE": "\(scratch.path)/\(name)"],
        home: nil,
        runtimeDirectory: nil
    )
}
