import OCI

/// What short names stand for, where registries.conf says something else than Docker: its table `[aliases]`.
///
/// Source: containers-registries.conf(5), "Short-name aliasing". A later file takes the place of an earlier one name by
/// name, and an empty text takes an alias away.
struct ShortNames: Sendable, Hashable {
    private var aliases: [String: ImageReference] = [:]

    /// Takes in what a file says.
    mutating func add(_ document: TOMLDocument, path: String) throws(RegistryConfigurationError) {
        for table in document.tables where table.name == ["aliases"] {
            for (name, entry) in table.entries.sorted(by: { $0.key < $1.key }) {
                guard case .text(let text) = entry.value else {
                    throw Self.error("an alias is a text", path, entry)
                }
                aliases[name] = text.isEmpty ? nil : try Self.reference(text, path, entry)
            }
        }
    }

    private static func reference(
        _ text: String,
        _ path: String,
        _ entry: TOMLDocument.Entry
    ) throws(RegistryConfigurationError) -> ImageReference {
        guard let name = try? ImageReference(parsing: text), name.shortName == nil, name.tag == nil, name.digest == nil
        else {
            let problem = "`\(RegistrySaying.shown(text))` is no alias: expected REGISTRY/NAME without tag and digest"
            throw error(problem, path, entry)
        }
        return name
    }

    private static func error(
        _ problem: String,
        _ path: String,
        _ entry: TOMLDocument.Entry
    ) -> RegistryConfigurationError {
        RegistryConfigurationError(path: path, line: entry.line, problem: problem)
    }

    /// What a reference stands for: another one where it was written short and is an alias.
    func resolve(_ reference: ImageReference) -> ImageReference {
        guard let name = reference.shortName, var result = aliases[name] else { return reference }
        (result.tag, result.digest) = (reference.tag, reference.digest)
        return result
    }
}
