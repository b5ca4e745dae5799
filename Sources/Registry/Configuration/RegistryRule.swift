import OCI

/// What registries.conf says of the names that begin with a prefix.
///
/// Source: containers-registries.conf(5), version 2. Keys that are not listed here have no effect.
struct RegistryRule: Sendable, Hashable {
    /// Another place with the same content.
    struct Mirror: Sendable, Hashable {
        enum Pulls: String, Sendable {
            case all
            case byDigest = "digest-only"
            case byTag = "tag-only"
        }

        var location: String
        var isInsecure = false
        var pulls = Pulls.all
    }

    /// A host, or a host and the beginning of a path, or `*.` and a domain.
    var prefix: String
    /// What stands for the prefix.
    var location: String
    var isInsecure = false
    var isBlocked = false
    /// In the order in which they are asked.
    var mirrors: [Mirror] = []

    /// How much of a name the prefix covers; `nil` where it is about others.
    func match(_ name: ImageReference) -> Int? {
        let full = "\(name.registry)/\(name.repository)"
        if prefix.hasPrefix("*.") {
            let domain = prefix.dropFirst()
            let host = name.registry.prefix { $0 != ":" }
            return host.hasSuffix(domain) && host.count > domain.count ? prefix.utf8.count : nil
        }
        guard full.hasPrefix(prefix) else { return nil }
        let next = full.dropFirst(prefix.count).first
        // `example.com` is a prefix of `example.com:5000/name` to nobody.
        return next == nil || next == "/" ? prefix.utf8.count : nil
    }

    /// The name at `location`, which stands for the prefix.
    func rewritten(_ name: ImageReference, to location: String) -> ImageReference? {
        guard !location.hasPrefix("*."), !location.isEmpty else { return name }
        let full = "\(name.registry)/\(name.repository)"
        // A pattern stands for a whole host.
        let covered = prefix.hasPrefix("*.") ? name.registry.count : prefix.count
        let parts = (location + full.dropFirst(covered)).split(separator: "/", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        var result = name
        result.registry = String(parts[0])
        result.repository = String(parts[1])
        return result
    }
}

extension RegistryRule {
    /// The rules of a file.
    static func all(in document: TOMLDocument, path: String) throws(RegistryConfigurationError) -> [RegistryRule] {
        var result: [RegistryRule] = []
        for table in document.tables {
            var table = Table(table, path: path)
            switch table.name {
            case ["registry"]: result.append(try rule(&table))
            case ["registry", "mirror"]:
                guard !result.isEmpty else { throw table.error("a mirror has to follow its [[registry]]") }
                result[result.count - 1].mirrors.append(try mirror(&table))
            default: break
            }
        }
        return result
    }

    private static func rule(_ table: inout Table) throws(RegistryConfigurationError) -> RegistryRule {
        let location = try table.place("location")
        guard let prefix = try table.place("prefix") ?? location else {
            throw table.error("a [[registry]] needs a prefix or a location")
        }
        guard location?.hasPrefix("*.") != true else { throw table.error("a location cannot be a pattern") }
        var rule = RegistryRule(prefix: prefix, location: location ?? prefix)
        rule.isInsecure = try table.flag("insecure")
        rule.isBlocked = try table.flag("blocked")
        return rule
    }

    private static func mirror(_ table: inout Table) throws(RegistryConfigurationError) -> Mirror {
        guard let location = try table.place("location"), !location.hasPrefix("*.") else {
            throw table.error("a mirror needs a location")
        }
        var mirror = Mirror(location: location)
        mirror.isInsecure = try table.flag("insecure")
        if let text = try table.text("pull-from-mirror") {
            guard let pulls = Mirror.Pulls(rawValue: text) else {
                throw table.error("pull-from-mirror is all, digest-only or tag-only")
            }
            mirror.pulls = pulls
        } else if try table.flag("mirror-by-digest-only") {
            mirror.pulls = .byDigest
        }
        return mirror
    }

    /// The members of a table, by type.
    private struct Table {
        let name: [String]
        private let table: TOMLDocument.Table
        private let path: String

        init(_ table: TOMLDocument.Table, path: String) {
            self.table = table
            self.path = path
            // Both forms are in use for what there is one of.
            name = table.name
        }

        func error(_ problem: String, line: Int? = nil) -> RegistryConfigurationError {
            RegistryConfigurationError(path: path, line: line ?? table.line, problem: problem)
        }

        func text(_ key: String) throws(RegistryConfigurationError) -> String? {
            guard let entry = table.entries[key] else { return nil }
            guard case .text(let text) = entry.value else { throw error("\(key) is a text", line: entry.line) }
            return text.isEmpty ? nil : text
        }

        func flag(_ key: String) throws(RegistryConfigurationError) -> Bool {
            guard let entry = table.entries[key] else { return false }
            guard case .flag(let flag) = entry.value else { throw error("\(key) is true or false", line: entry.line) }
            return flag
        }

        /// A host, maybe with a path.
        func place(_ key: String) throws(RegistryConfigurationError) -> String? {
            guard let text = try text(key) else { return nil }
            guard !text.contains("://") else {
                throw error(
                    "\(key) is a host and a path, without \(text.prefix { $0 != ":" })://",
                    line: table.entries[key]?.line
                )
            }
            let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && !"\"\\?#@".utf8.contains($0) }
            guard isPlain, !text.hasPrefix("/") else {
                throw error("`\(RegistrySaying.shown(text))` is no place of a registry", line: table.entries[key]?.line)
            }
            return text.hasSuffix("/") ? String(text.dropLast()) : text
        }
    }
}
