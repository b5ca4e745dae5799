import OCI

/// A digest over tagged, length-prefixed fields: no two different lists of fields give the same bytes.
struct FieldHasher {
    private static let blockSize = 16 << 10

    private var hasher = Digest.Hasher()
    /// What is not hashed yet: fields are short, and each call of the hash function has a price.
    private var waiting: [UInt8] = []

    /// Begins with a name for what is hashed, and the version of its form.
    init(domain: String) {
        waiting.reserveCapacity(1024)
        add("swbuild-1")
        add(domain)
    }

    mutating func add(_ bytes: [UInt8]) {
        addLength(bytes.count)
        waiting.append(contentsOf: bytes)
        hashWhatIsMuch()
    }

    mutating func add(_ text: String) {
        addLength(text.utf8.count)
        waiting.append(contentsOf: text.utf8)
        hashWhatIsMuch()
    }

    /// Adds a path in two parts, of which the first ends with a slash.
    mutating func add(path directory: ArraySlice<UInt8>, _ name: UnsafeRawBufferPointer) {
        addLength(directory.count + name.count)
        waiting.append(contentsOf: directory)
        waiting.append(contentsOf: name)
        hashWhatIsMuch()
    }

    /// Adds a digest's hexadecimal digits.
    mutating func add(_ digest: Digest) {
        addLength(2 * Digest.size)
        digest.withHexDigits { waiting.append(contentsOf: $0) }
        hashWhatIsMuch()
    }

    mutating func add(_ number: Int) {
        addLength(8)
        append(UInt64(bitPattern: Int64(number)))
    }

    mutating func add(_ texts: [String]) {
        add(texts.count)
        for text in texts { add(text) }
    }

    private mutating func addLength(_ count: Int) { append(UInt64(count)) }

    private mutating func append(_ number: UInt64) {
        withUnsafeBytes(of: number.littleEndian) { waiting.append(contentsOf: $0) }
    }

    private mutating func hashWhatIsMuch() {
        guard waiting.count >= Self.blockSize else { return }
        hasher.update(waiting)
        waiting.removeAll(keepingCapacity: true)
    }

    consuming func finalize() -> Digest {
        var last = hasher
        last.update(waiting)
        return last.finalize()
    }
}
