import Glibc
import OCI

/// A file of credentials, which may not be there.
struct CredentialFile: Sendable, Hashable {
    private static let largest = 1 << 20

    let path: String
    /// Docker's own has Docker's registry under another name than podman's.
    let isDockers: Bool

    /// `nil` where there is no such file.
    func read() throws(CredentialError) -> CredentialDocument? {
        let bytes: [UInt8]
        do {
            bytes = try HostFile.read(path, limit: Self.largest)
        } catch {
            if error.isMissing { return nil }
            throw CredentialError(place: path, problem: error.description)
        }
        // An empty file is what `touch` and the like leave.
        guard bytes.contains(where: { $0 > 0x20 }) else { return CredentialDocument(file: self) }
        guard let json = try? JSONValue(parsing: bytes, as: path), json.object != nil else {
            throw CredentialError(place: path, problem: "the file is no JSON object; correct or remove it")
        }
        return CredentialDocument(file: self, json: json)
    }

    /// Puts a new file in its place, for its owner's eyes only; a link is followed.
    func write(_ document: CredentialDocument) throws(CredentialError) {
        var target = path
        if let resolved = realpath(path, nil) {
            target = String(cString: resolved)
            free(resolved)
        }
        let temporary = "\(target).\(UInt64.random(in: 0...UInt64.max))"
        do {
            let text = try document.json.prettyPrinted() + "\n"
            try makeDirectory(of: target)
            let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw HostFileError("create", target, code: errno) }
            defer { close(descriptor) }
            try HostFile.write(Array(text.utf8)[...], descriptor: descriptor, named: target)
            guard fsync(descriptor) == 0, rename(temporary, target) == 0 else {
                throw HostFileError("write", target, code: errno)
            }
        } catch {
            unlink(temporary)
            throw CredentialError(place: path, problem: "\(error)")
        }
    }

    private func makeDirectory(of path: String) throws(HostFileError) {
        guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return }
        let directory = String(path[..<slash])
        guard !HostFile.exists(directory) else { return }
        try HostFile.createDirectories(directory)
        chmod(directory, 0o700)
    }
}

/// What a file of credentials says; members that nobody here knows stay.
struct CredentialDocument {
    let file: CredentialFile
    private(set) var json: JSONValue

    init(file: CredentialFile, json: JSONValue = .object([:])) {
        self.file = file
        self.json = json
    }

    private var entries: [String: JSONValue] { json["auths"]?.object ?? [:] }

    // MARK: helpers

    typealias Helper = @Sendable (_ environment: [String: String]) -> CredentialHelper

    /// The helper for one registry.
    func helper(for registry: String) -> Helper? {
        let helpers = json["credHelpers"]?.object ?? [:]
        let key = helpers.keys.sorted().first { CredentialStore.normalized($0) == registry }
        return key.flatMap { helpers[$0]?.string }.flatMap(Self.make)
    }

    /// The helper for all registries.
    var generalHelper: Helper? { json["credsStore"]?.string.flatMap(Self.make) }

    private static func make(_ name: String) -> Helper? {
        guard !name.isEmpty else { return nil }
        return { CredentialHelper(name: name, environment: $0) }
    }

    /// What a registry is called here.
    func serverName(_ registry: String) -> String {
        registry == "docker.io" && file.isDockers ? "https://index.docker.io/v1/" : registry
    }

    // MARK: entries

    /// What the file itself has for a repository: under its name, those of the paths above it, or the registry's.
    func credentials(for registry: String, repository: String) throws(CredentialError) -> RegistryCredentials? {
        var name = repository.isEmpty ? registry : "\(registry)/\(repository)"
        while true {
            for key in keys(of: name) {
                if let found = try entries[key].flatMap({ (entry) throws(CredentialError) in
                    try credentials(entry, of: key)
                }) {
                    return found
                }
            }
            guard name != registry, let slash = name.lastIndex(of: "/") else { return nil }
            name = String(name[..<slash])
        }
    }

    /// The keys that mean a name: its own first.
    private func keys(of name: String) -> [String] {
        let keys = entries.keys.filter { CredentialStore.normalized($0) == name }.sorted()
        return keys.filter { $0 == name } + keys.filter { $0 != name }
    }

    /// `nil` for the empty entries that stand for what a helper has.
    private func credentials(_ entry: JSONValue, of key: String) throws(CredentialError) -> RegistryCredentials? {
        let token = entry["identitytoken"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        let registryToken = entry["registrytoken"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        var user = entry["username"]?.string ?? ""
        var password = entry["password"]?.string ?? ""
        if let auth = entry["auth"]?.string, !auth.isEmpty {
            // Docker ends the text with zero bytes.
            let bytes = Base64.decoded(auth.filter { $0 != "\n" })
            let parts = bytes?.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
            guard let parts, parts.count == 2 else {
                throw CredentialError(
                    place: file.path,
                    problem: "`auth` of \(RegistrySaying.shown(key)) is not USER:PASSWORD in base 64; log in anew"
                )
            }
            user = String(decoding: parts[0], as: UTF8.self)
            password = String(decoding: parts[1].reversed().drop { $0 == 0 }.reversed(), as: UTF8.self)
        }
        guard token != nil || registryToken != nil || !user.isEmpty else { return nil }
        return RegistryCredentials(
            user: user,
            password: password,
            identityToken: token,
            registryToken: registryToken
        )
    }

    mutating func set(_ credentials: RegistryCredentials, for registry: String) {
        var entries = entries
        for key in keys(of: registry) { entries[key] = nil }
        var entry = ["auth": Base64.encoded("\(credentials.user):\(credentials.password)".utf8)]
        if let token = credentials.identityToken { entry["identitytoken"] = token }
        entries[serverName(registry)] = .strings(entry)
        replace(entries)
    }

    mutating func remove(_ registry: String) -> Bool {
        let keys = keys(of: registry)
        guard !keys.isEmpty else { return false }
        var entries = entries
        for key in keys { entries[key] = nil }
        replace(entries)
        return true
    }

    private mutating func replace(_ entries: [String: JSONValue]) {
        var members = json.object ?? [:]
        members["auths"] = .object(entries)
        json = .object(members)
    }
}
