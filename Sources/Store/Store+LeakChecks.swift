import Glibc
import OCI

extension Store {
    /// A digest that nobody can make without this store: what is kept under it says nothing about what it was made of.
    /// - Throws: ``HostFileError`` where the store's key cannot be read or made.
    public func sealed(_ digest: Digest) throws(HostFileError) -> Digest {
        Digest(of: try sealingKey() + Array(digest.hex.utf8))
    }

    /// The store's own random bytes, made when they are first needed.
    private func sealingKey() throws(HostFileError) -> [UInt8] {
        let path = "\(root)/seal"
        let length = 32
        if let key = try? HostFile.read(path, limit: length), key.count == length { return key }
        let lock = try lock("seal")
        defer { withExtendedLifetime(lock) {} }
        if let key = try? HostFile.read(path, limit: length), key.count == length { return key }
        let key = (0..<length).map { _ in UInt8.random(in: 0...255) }
        try HostFile.write(key, to: path)
        chmod(path, 0o600)
        return key
    }

    /// Whether a layer was looked through before for what `patterns` names, and nothing was found.
    /// - Throws: ``DatabaseError``.
    public func hasLeakCheck(of layer: DiffID, for patterns: Digest) throws -> Bool {
        try !database.query(
            "SELECT 1 FROM leak_checks WHERE diff_id = ? AND patterns = ?",
            [.text(layer.digest.hex), .text(patterns.hex)]
        ).isEmpty
    }

    /// Notes that nothing of what `patterns` names is in a layer.
    /// - Throws: ``DatabaseError``.
    public func rememberLeakCheck(of layer: DiffID, for patterns: Digest) throws {
        try database.query(
            "INSERT OR REPLACE INTO leak_checks (diff_id, patterns) VALUES (?, ?)",
            [.text(layer.digest.hex), .text(patterns.hex)]
        )
    }
}
