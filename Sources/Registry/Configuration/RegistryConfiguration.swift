/// What a client is to know before it asks a registry: settings of the machine and of the user.
public struct RegistryConfiguration: Sendable {
    /// Registries, `HOST` or `HOST:PORT`, that may be asked over plain HTTP or TLS whose certificate nobody vouches for.
    public var insecureRegistries: [String] = []
    /// Where credentials are looked up.
    public var credentials: CredentialStore
    /// What each exchange may cost.
    public var limits = DownloadLimits()
    /// What happens after failures that may pass.
    public var retries = RetryPolicy()
    /// The size of the pieces in which blobs are uploaded; `nil` sends each blob in one.
    public var uploadChunkSize: Int64?

    /// Settings without mirrors, certificates and the like.
    public init(credentials: CredentialStore = CredentialStore()) {
        self.credentials = credentials
    }

    /// What the configuration files of the machine and the user say: registries.conf, certs.d, credential files.
    ///
    /// `home` and `runtimeDirectory` are the user's (`$HOME`, `$XDG_RUNTIME_DIR`).
    /// - Throws: ``RegistryConfigurationError`` where a file cannot be read or understood.
    public static func system(
        environment: [String: String],
        home: String?,
        runtimeDirectory: String?
    ) throws(RegistryConfigurationError) -> RegistryConfiguration {
        RegistryConfiguration(
            credentials: CredentialStore(environment: environment, home: home, runtimeDirectory: runtimeDirectory)
        )
    }
}

/// A configuration file that cannot be used.
public struct RegistryConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file.
    public var path: String
    /// The line, where one is to blame.
    public var line: Int?
    /// What is wrong with it.
    public var problem: String

    /// One sentence: where, and what.
    public var description: String { "\(path)\(line.map { ":\($0)" } ?? ""): \(problem)" }
}
