import Glibc
import OCI

/// How somebody identifies themselves to a registry.
public struct RegistryCredentials: Sendable, Hashable {
    /// The user's name.
    public var user: String
    /// The password, or a token in its place.
    public var password: String
    /// A token that stands for both and is exchanged for tokens that registries take (OAuth 2 refresh token).
    public var identityToken: String?
    /// A token that the registry itself takes in place of all the others.
    public var registryToken: String?

    /// Credentials of these parts.
    public init(user: String, password: String, identityToken: String? = nil, registryToken: String? = nil) {
        self.user = user
        self.password = password
        self.identityToken = identityToken
        self.registryToken = registryToken
    }
}

/// The credential files of docker and podman, and the helpers that they name.
///
/// Source: containers-auth.json(5), and the command line reference of `docker login`.
public struct CredentialStore: Sendable {
    /// In the order in which they are looked through.
    let files: [CredentialFile]
    /// Where `save` writes to.
    let target: CredentialFile?
    /// What helpers see.
    let environment: [String: String]

    /// No files: nothing is found, and nothing can be saved.
    public init() {
        files = []
        target = nil
        environment = [:]
    }

    /// The files that the environment and the user's directories tell of; none of them has to be there.
    ///
    /// `$REGISTRY_AUTH_FILE` alone, where it is set. Else `containers/auth.json` in `$XDG_RUNTIME_DIR` and in the
    /// user's configuration directory, and `config.json` in `$DOCKER_CONFIG` or `~/.docker`.
    public init(environment: [String: String], home: String?, runtimeDirectory: String?) {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        self.environment = environment
        if let path = variable("REGISTRY_AUTH_FILE") {
            let file = CredentialFile(path: path, isDockers: path.hasSuffix("/config.json"))
            files = [file]
            target = file
            return
        }
        let runtime = runtimeDirectory.map { "\($0)/containers" } ?? "/run/containers/\(getuid())"
        let personal = variable("XDG_CONFIG_HOME") ?? home.map { "\($0)/.config" }
        let docker = (variable("DOCKER_CONFIG") ?? home.map { "\($0)/.docker" }).map {
            CredentialFile(path: "\($0)/config.json", isDockers: true)
        }
        let podman = [runtime, personal.map { "\($0)/containers" }].compactMap { directory in
            directory.map { CredentialFile(path: "\($0)/auth.json", isDockers: false) }
        }
        files = podman + [docker].compactMap(\.self)
        let isRuntimeThere = runtimeDirectory != nil && HostFile.exists(podman.first?.path ?? "")
        target = isRuntimeThere ? podman.first : docker ?? podman.first
    }

    /// The credentials for a repository; `nil` where there are none.
    ///
    /// In each file the helper for the registry comes first, then what the file itself has, the longest name first, and
    /// then the helper for all registries.
    /// - Throws: ``CredentialError`` where a file or a helper cannot be used.
    public func credentials(
        for registry: String,
        repository: String
    ) throws(CredentialError) -> RegistryCredentials? {
        let registry = Self.normalized(registry)
        for file in files {
            guard let document = try file.read() else { continue }
            if let helper = document.helper(for: registry) {
                if let found = try helper(environment).get(document.serverName(registry)) { return found }
            }
            if let found = try document.credentials(for: registry, repository: repository) { return found }
            if let helper = document.generalHelper {
                if let found = try helper(environment).get(document.serverName(registry)) { return found }
            }
        }
        return nil
    }

    /// Keeps credentials for a registry, for `login`; returns the file, or the helper, that has them now.
    /// - Throws: ``CredentialError``.
    @discardableResult
    public func save(
        _ credentials: RegistryCredentials,
        for registry: String
    ) throws(CredentialError) -> String {
        let registry = Self.normalized(registry)
        guard let target else {
            throw CredentialError(
                place: "credentials",
                problem: "there is no home directory to keep them in; set REGISTRY_AUTH_FILE"
            )
        }
        var document = try target.read() ?? CredentialDocument(file: target)
        if let make = document.helper(for: registry) ?? document.generalHelper {
            let helper = make(environment)
            try helper.store(credentials, for: document.serverName(registry))
            return helper.program
        }
        document.set(credentials, for: registry)
        try target.write(document)
        return target.path
    }

    /// Forgets the credentials for a registry in all files, for `logout`; says whether there were any.
    /// - Throws: ``CredentialError``.
    public func remove(_ registry: String) throws(CredentialError) -> Bool {
        let registry = Self.normalized(registry)
        var isFound = false
        for file in files {
            guard var document = try file.read() else { continue }
            for make in [document.helper(for: registry), document.generalHelper].compactMap(\.self) {
                let helper = make(environment)
                let server = document.serverName(registry)
                if try helper.get(server) != nil {
                    try helper.erase(server)
                    isFound = true
                }
            }
            if document.remove(registry) {
                try file.write(document)
                isFound = true
            }
        }
        return isFound
    }

    /// A registry's name as references have it, of any form in which files and people write it.
    static func normalized(_ text: String) -> String {
        var name = text[...]
        if let scheme = name.firstRange(of: "://") { name = name[scheme.upperBound...] }
        while name.hasSuffix("/") { name = name.dropLast() }
        for version in ["/v1", "/v2"] where name.hasSuffix(version) { name = name.dropLast(version.count) }
        return ["index.docker.io", "registry-1.docker.io"].contains(name) ? "docker.io" : String(name)
    }
}

/// Credentials that cannot be read or written.
public struct CredentialError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file, or the helper.
    public var place: String
    /// What is wrong.
    public var problem: String

    init(place: String, problem: String) {
        self.place = place
        self.problem = problem
    }

    /// One sentence: where, and what.
    public var description: String { "\(place): \(problem)" }
}
