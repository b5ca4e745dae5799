import OCI
import Synchronization

/// Pulls from and pushes to registries.
///
/// One client for a program's life: it keeps connections, tokens and what registries said of themselves. Every call
/// blocks its thread; any thread may call, and several at once. What a registry says is not trusted: manifests come
/// back verified, and blobs have a sink that verifies them.
///
/// Source: distribution-spec 1.1.
public final class RegistryClient: Sendable {
    let configuration: RegistryConfiguration
    let network: RegistryNetwork
    private let state = Mutex(State())

    private struct State {
        var hosts: [RegistryHost.Place: RegistryHost] = [:]
        /// The endpoint that last had what was asked for: those before it are not asked again.
        ///
        /// By the list that it is of, since tags and digests of one repository may have different mirrors.
        var goodEndpoints: [[RegistryMirror]: Int] = [:]
        /// Mirrors that sent something wrong.
        var distrusted: Set<RegistryMirror> = []
    }

    /// A client for these settings, whose calls end early when `isCancelled` says so (asked on the calling thread).
    public init(
        _ configuration: RegistryConfiguration,
        isCancelled: @escaping @Sendable () -> Bool = { Task.isCancelled }
    ) {
        self.configuration = configuration
        network = RegistryNetwork(configuration, isCancelled: isCancelled)
    }
}

/// A place that has, or should have, a repository: the registry itself or a mirror.
struct RegistryEndpoint: Sendable {
    let host: RegistryHost
    /// The repository's name there.
    let repository: String
    var isMirror = false

    /// Its name, whatever it is.
    var identity: RegistryMirror { RegistryMirror(host: host.place.name, repository: repository) }

    /// What can be distrusted: never the registry itself.
    var mirror: RegistryMirror? { isMirror ? identity : nil }
}

/// A repository at another place, which should have the same content.
public struct RegistryMirror: Sendable, Hashable {
    /// The place, as registries.conf names it: a host, maybe with a port.
    public let host: String
    let repository: String
}

// Which servers are asked, and in which order.
extension RegistryClient {
    /// Does something at the first endpoint that can: the mirrors in their order, then the registry itself.
    func anywhere<Result>(
        _ name: ImageReference,
        _ action: String,
        _ body: (RegistryEndpoint) throws(RegistryFailure) -> Result
    ) throws(RegistryError) -> Result {
        let endpoints = try endpoints(for: name, action)
        let list = endpoints.map(\.identity)
        let first = state.withLock { $0.goodEndpoints[list] } ?? 0
        var mirrors: [String] = []
        for index in first..<endpoints.count {
            let endpoint = endpoints[index]
            do throws(RegistryFailure) {
                let result = try body(endpoint)
                state.withLock { $0.goodEndpoints[list] = index }
                return result
            } catch {
                var whole = RegistryError(error, registry: endpoint.host.place.name, action: action)
                let isLast = index == endpoints.count - 1
                switch error.reason {
                case .cancelled, .stoppedBySink, .missingLibrary: throw whole
                case _ where isLast:
                    whole.mirrors = mirrors
                    throw whole
                case .wrongDigest, .wrongSize, .wrongMediaType:
                    _ = distrust([endpoint.identity], for: whole.explanation)
                default: break
                }
                mirrors.append(whole.explanation)
            }
        }
        throw RegistryError(.malformed("no endpoint"), registry: name.registry, action: action)
    }

    /// Asks these mirrors for nothing any more, since `problem` is wrong with what they sent; says so in a warning.
    /// - Returns: Whether there are any: then what was wrong can be asked for elsewhere.
    public func distrust(_ mirrors: [RegistryMirror], for problem: String) -> Bool {
        let isNew = state.withLock { state in mirrors.filter { state.distrusted.insert($0).inserted } }
        for mirror in isNew {
            configuration.warn("the mirror \(mirror.host) is not asked any more: \(problem)")
        }
        return !mirrors.isEmpty
    }

    /// Does something at the registry itself: nothing is pushed to mirrors.
    func atRegistry<Result>(
        _ name: ImageReference,
        _ action: String,
        _ body: (RegistryEndpoint) throws(RegistryFailure) -> Result
    ) throws(RegistryError) -> Result {
        guard let endpoint = try endpoints(for: name, action).last else {
            throw RegistryError(.malformed("no endpoint"), registry: name.registry, action: action)
        }
        do throws(RegistryFailure) {
            return try body(endpoint)
        } catch {
            throw RegistryError(error, registry: endpoint.host.place.name, action: action)
        }
    }

    /// Never empty; the registry itself comes last.
    func endpoints(for name: ImageReference, _ action: String) throws(RegistryError) -> [RegistryEndpoint] {
        guard let rule = rule(for: name) else { return [endpoint(name, isInsecure: false)] }
        guard !rule.isBlocked else { throw RegistryError(.blocked, registry: name.registry, action: action) }
        guard let itself = rule.rewritten(name, to: rule.location) else {
            let why = "registries.conf makes no repository of it"
            throw RegistryError(.malformed(why), registry: name.registry, action: action)
        }
        let mirrors = rule.mirrors.filter { mirror in
            switch mirror.pulls {
            case .all: true
            case .byDigest: name.digest != nil
            case .byTag: name.digest == nil
            }
        }
        let places = mirrors.compactMap { mirror in
            rule.rewritten(name, to: mirror.location).map { endpoint($0, isInsecure: mirror.isInsecure) }
        }
        let distrusted = state.withLock { $0.distrusted }
        let trusted = places.filter { !distrusted.contains($0.identity) }.map { place in
            var place = place
            place.isMirror = true
            return place
        }
        return trusted + [endpoint(itself, isInsecure: rule.isInsecure)]
    }

    /// The rule with the longest prefix.
    private func rule(for name: ImageReference) -> RegistryRule? {
        let matches = configuration.rules.compactMap { rule in rule.match(name).map { (length: $0, rule: rule) } }
        return matches.max { $0.length < $1.length }?.rule
    }

    private func endpoint(_ name: ImageReference, isInsecure: Bool) -> RegistryEndpoint {
        RegistryEndpoint(host: host(name.registry, isInsecure: isInsecure), repository: name.repository)
    }

    private func host(_ registry: String, isInsecure: Bool) -> RegistryHost {
        let place = RegistryHost.Place(
            name: registry,
            isInsecure: isInsecure || network.trust.isInsecure(registry)
        )
        return state.withLock { state in
            if let known = state.hosts[place] { return known }
            let store = configuration.credentials
            let host = RegistryHost(place, network: network) { repository throws(CredentialError) in
                try store.credentials(for: registry, repository: repository)
            }
            state.hosts[place] = host
            return host
        }
    }

    /// What a reference stands for: another one where it names no registry and registries.conf has an alias for it.
    public func unaliased(_ name: ImageReference) -> ImageReference { configuration.shortNames.resolve(name) }

    /// Checks that credentials are good, for `login`; without any, those of the credential files are used.
    /// - Throws: ``RegistryError``.
    public func ping(_ registry: String, credentials: RegistryCredentials?) throws(RegistryError) {
        let name = CredentialStore.normalized(registry)
        let action = credentials == nil ? "reach \(name)" : "log in to \(name)"
        let isInsecure = configuration.rules.contains { $0.isInsecure && $0.location == name }
        var host = host(name, isInsecure: isInsecure)
        if let credentials { host = RegistryHost(host.place, network: network) { _ in credentials } }
        do throws(RegistryFailure) {
            let answer = try host.answer(RegistryCall(target: .path("/v2/")))
            guard answer.head.isSuccess else {
                guard answer.head.status == 404 else { throw host.refusal(answer, repository: "") }
                throw RegistryFailure(.malformed("it has no /v2/"))
            }
        } catch {
            throw RegistryError(error, registry: name, action: action)
        }
    }
}

/// A manifest or index as a registry gave it.
public struct RemoteManifest: Sendable, Hashable {
    /// The document, byte for byte.
    public var bytes: [UInt8]
    /// Its media type, digest and size.
    public var descriptor: Descriptor

    /// A document and its descriptor.
    public init(bytes: [UInt8], descriptor: Descriptor) {
        self.bytes = bytes
        self.descriptor = descriptor
    }
}

/// Takes the bytes of a blob in their order, and checks size and digest as they arrive.
public protocol BlobSink: AnyObject {
    /// How many bytes are there already: the next ones are asked for.
    var received: Int64 { get }
    /// Takes the next bytes; `false` ends the download.
    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool
}

/// How a blob came to be at a registry.
public enum BlobPushOutcome: Sendable, Hashable {
    /// The repository had it.
    case alreadyThere
    /// The registry took it from another of its repositories.
    case mounted
    /// It was sent.
    case uploaded
}
