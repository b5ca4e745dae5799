import OCI

/// The fields of a step's key: hashed for the key, kept for the explanation of a later miss.
struct StepFields {
    private(set) var fields: [(name: String, values: [String])] = []

    mutating func set(_ name: String, _ values: [String]) { fields.append((name, values)) }

    mutating func set(_ name: String, _ value: String) { fields.append((name, [value])) }

    mutating func set(_ name: String, _ value: Bool) { fields.append((name, [value ? "true" : "false"])) }

    /// The digest over all fields, in the order that they were set.
    func digest(domain: String) -> Digest {
        var hasher = FieldHasher(domain: domain)
        for field in fields {
            hasher.add(field.name)
            hasher.add(field.values)
        }
        return hasher.finalize()
    }

    /// The files that a step takes, for the explanation of a later miss: they are no part of the digest.
    var files: [SelectionDigest.KeptFile] = []

    /// The fields as they are kept.
    func document() -> JSONValue {
        var members: [String: JSONValue] = [:]
        for field in fields { members[field.name] = .strings(field.values) }
        if !files.isEmpty { members["files"] = .strings(files.map(\.line)) }
        return .object(members)
    }

    /// The document's bytes.
    func encoded() -> [UInt8] { Self.encoded(document()) }

    /// The bytes of a step's document.
    static func encoded(_ document: JSONValue) -> [UInt8] { (try? document.encoded()) ?? [] }
}
