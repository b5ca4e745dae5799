/// How somebody identifies themselves to a registry.
public struct RegistryCredentials: Sendable, Hashable {
    /// The user's name.
    public var user: String
    /// The password, or a token in its place.
    public var password: String
    /// A token that stands for both and is exchanged for tokens that registries take (OAuth 2 refresh token).
    public var identityToken: String?

    /// Credentials of these parts.
    public init(user: String, password: String, identityToken: String? = nil) {
        self.user = user
        self.password = password
        self.identityToken = identityToken
    }
}

/// The credential files of docker and podman, and the helpers that they name.
public struct CredentialStore: Sendable {
    /// No files: nothing is found, and nothing can be saved.
    public init() {}

    /// The files that the environment and the user's directories tell of.
    public init(environment: [String: String], home: String?, runtimeDirectory: String?) {}

    /// The credentials for a repository; `nil` where there are none.
    /// - Throws: ``CredentialError`` where a file or a helper cannot be used.
    public func credentials(
        for registry: String,
        repository: String
    ) throws(CredentialError) -> RegistryCredentials? {
        nil
    }

    /// Keeps credentials for a registry, for `login`; returns where they are.
    /// - Throws: ``CredentialError``.
    @discardableResult
    public func save(
        _ credentials: RegistryCredentials,
        for registry: String
    ) throws(CredentialError) -> String {
        throw CredentialError(place: "", problem: "")
    }

    /// Forgets the credentials for a registry, for `logout`; says whether there were any.
    /// - Throws: ``CredentialError``.
    public func remove(_ registry: String) throws(CredentialError) -> Bool { false }
}

/// Credentials that cannot be read or written.
public struct CredentialError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file, or the helper.
    public var place: String
    /// What is wrong.
    public var problem: String

    /// One sentence: where, and what.
    public var description: String { "\(place): \(problem)" }
}
