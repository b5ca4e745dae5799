import Glibc

/// What a client is to know before it asks a registry: settings of the machine and of the user.
public struct RegistryConfiguration: Sendable {
    /// Registries, `HOST` or `HOST:PORT`, that may be asked over plain HTTP, or TLS that nobody vouches for.
    public var insecureRegistries: [String] = []
    /// Where credentials are looked up.
    public var credentials: CredentialStore
    /// Where certificates are looked up: directories with one for each `HOST:PORT`, the first that has it counts.
    public var certificateDirectories: [String] = []
    /// What each exchange may cost.
    public var limits = DownloadLimits()
    /// What happens after failures that may pass.
    public var retries = RetryPolicy()
    /// The size of the pieces in which blobs are uploaded; `nil` sends each blob in one.
    public var uploadChunkSize: Int64?
    /// Hears, on any thread, what the user should know although it went well in the end.
    public var warn: @Sendable (String) -> Void = { _ in }
    /// What registries.conf says.
    var rules: [RegistryRule] = []
    /// What registries.conf says of short names.
    var shortNames = ShortNames()

    /// Settings without mirrors, certificates and the like.
    public init(credentials: CredentialStore = CredentialStore()) {
        self.credentials = credentials
    }

    /// What the configuration files of the machine and the user say: registries.conf, certs.d, credential files.
    ///
    /// `home` and `runtimeDirectory` are the user's (`$HOME`, `$XDG_RUNTIME_DIR`). Credential files are read when
    /// they are first needed.
    /// - Throws: ``RegistryConfigurationError`` where a file cannot be read or understood.
    public static func system(
        environment: [String: String],
        home: String?,
        runtimeDirectory: String?
    ) throws(RegistryConfigurationError) -> RegistryConfiguration {
        let credentials = CredentialStore(environment: environment, home: home, runtimeDirectory: runtimeDirectory)
        var result = RegistryConfiguration(credentials: credentials)
        let places = ConfigurationPlaces(environment: environment, home: home)
        result.certificateDirectories = places.certificateDirectories
        (result.rules, result.shortNames) = try places.read()
        return result
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

    init(path: String, line: Int? = nil, problem: String) {
        self.path = path
        self.line = line
        self.problem = problem
    }

    /// One sentence: where, and what.
    public var description: String { line.map { "\(path):\($0): \(problem)" } ?? problem }
}
