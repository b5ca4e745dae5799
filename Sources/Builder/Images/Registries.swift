import Exec
import Glibc
import OCI
import Registry
import Synchronization

/// The registries that this program speaks to: one client, made when it is first needed.
public final class Registries: Sendable {
    private let insecure: [String]
    private let cancellation: Cancellation
    private let warn: @Sendable (String) -> Void
    private let made = Mutex<RegistryClient?>(nil)

    /// Registries as the configuration of machine and user says; those of `insecure` over plain HTTP as well.
    ///
    /// `warn` hears what the user should know although it went well in the end.
    public init(
        insecure: [String] = [],
        cancellation: Cancellation,
        warn: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.insecure = insecure
        self.cancellation = cancellation
        self.warn = warn
    }

    /// The client.
    /// - Throws: `RegistryConfigurationError`.
    func client() throws -> RegistryClient {
        try made.withLock { made in
            if let made { return made }
            let environment = Self.environment
            var configuration = try RegistryConfiguration.system(
                environment: environment,
                home: environment["HOME"],
                runtimeDirectory: environment["XDG_RUNTIME_DIR"]
            )
            configuration.insecureRegistries += insecure
            configuration.warn = warn
            let cancellation = cancellation
            let client = RegistryClient(configuration) { cancellation.isCancelled }
            made = client
            return client
        }
    }

    /// Whether what is under way is to end.
    var isCancelled: Bool { cancellation.isCancelled }

    /// Checks credentials at a registry, and keeps them if they are good.
    /// - Returns: The file that has them now, or the program.
    /// - Throws: `RegistryError`, `RegistryConfigurationError`, `CredentialError`.
    public func logIn(to registry: String, user: String, password: String) throws -> String {
        let credentials = RegistryCredentials(user: user, password: password)
        try client().ping(registry, credentials: credentials)
        return try Self.credentials.save(credentials, for: registry)
    }

    /// Forgets the credentials for a registry: whether there were any.
    /// - Throws: `CredentialError`.
    public func logOut(of registry: String) throws -> Bool { try Self.credentials.remove(registry) }

    private static var credentials: CredentialStore {
        let environment = environment
        return CredentialStore(
            environment: environment,
            home: environment["HOME"],
            runtimeDirectory: environment["XDG_RUNTIME_DIR"]
        )
    }

    private static var environment: [String: String] {
        var result: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let pair = String(cString: entry).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if pair.count == 2, !pair[1].isEmpty { result[String(pair[0])] = String(pair[1]) }
            next += 1
        }
        return result
    }
}

extension ImageReference {
    /// `REGISTRY/PATH`, without tag and digest.
    var repositoryName: String { "\(registry)/\(repository)" }

    /// The same repository, another document of it.
    func naming(_ digest: Digest) -> ImageReference {
        var result = self
        result.tag = nil
        result.digest = digest
        return result
    }
}
