import OCI

/// A digest over tagged, length-prefixed fields: no two different lists of fields give the same bytes.
struct FieldHasher {
    private var hasher = Digest.Hasher()

    /// Begins with a name for what is hashed, and the version of its form.
    init(domain: String) {
        add("swbuild-1")
        add(domain)
    }

    mutating func add(_ bytes: [UInt8]) {
        withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { hasher.update($0) }
        hasher.update(bytes)
    }

    mutating func add(_ text: String) { add(Array(text.utf8)) }

    mutating func add(_ number: Int) {
        withUnsafeBytes(of: UInt64(8).littleEndian) { hasher.update($0) }
        withUnsafeBytes(of: Int64(number).littleEndian) { hasher.update($0) }
    }

    mutating func add(_ texts: [String]) {
        add(texts.count)
        for text in texts { add(text) }
    }

    consuming func finalize() -> Digest { hasher.finalize() }
}
