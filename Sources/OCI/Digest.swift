import Crypto

/// A sha256 digest: the only algorithm that swbuild writes or accepts.
///
/// Kept as its 32 bytes: a build that finds everything in the cache handles tens of thousands, and most are never shown.
///
/// Source: image-spec 1.1, descriptor.md, "Digests".
public struct Digest: Sendable {
    /// How many bytes a digest has.
    public static let size = 32

    /// The bytes as four numbers, the first byte the highest: comparing the numbers compares the bytes.
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// Parses `sha256:` and 64 lower-case hexadecimal digits.
    /// - Throws: ``MalformedDigest`` for anything else.
    public init(parsing text: String) throws(MalformedDigest) {
        let prefix = "sha256:".utf8
        guard text.utf8.starts(with: prefix) else { throw MalformedDigest(text: text) }
        let hex = text.utf8.dropFirst(prefix.count)
        guard hex.count == 2 * Self.size else { throw MalformedDigest(text: text) }
        var words: [UInt64] = [0, 0, 0, 0]
        for (position, digit) in hex.enumerated() {
            guard let value = Self.value(ofDigit: digit) else { throw MalformedDigest(text: text) }
            words[position / 16] = words[position / 16] << 4 | value
        }
        self.words = (words[0], words[1], words[2], words[3])
    }

    /// The digest of `data`.
    public init(of data: some Sequence<UInt8>) {
        var hasher = Hasher()
        hasher.update(Array(data))
        self = hasher.finalize()
    }

    /// Takes the 32 bytes of a computed sha256; what is missing counts as zero.
    public init(sha256 bytes: UnsafeRawBufferPointer) {
        func word(_ index: Int) -> UInt64 {
            guard bytes.count >= (index + 1) * 8 else { return 0 }
            return UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
        }
        words = (word(0), word(1), word(2), word(3))
    }

    /// Takes the 32 bytes of a computed sha256.
    public init(sha256 bytes: some Sequence<UInt8>) {
        self = Array(bytes).withUnsafeBytes { Digest(sha256: $0) }
    }

    /// The 64 lower-case hexadecimal digits.
    public var hex: String {
        String(unsafeUninitializedCapacity: 2 * Self.size) { digits in
            withBytes { bytes in
                for (position, byte) in bytes.enumerated() {
                    digits[2 * position] = Self.hexDigit(byte >> 4)
                    digits[2 * position + 1] = Self.hexDigit(byte & 15)
                }
            }
            return 2 * Self.size
        }
    }

    /// Hands the 64 lower-case hexadecimal digits to `body`, for who would make a string of each of many in vain.
    public func withHexDigits(_ body: (UnsafeRawBufferPointer) -> Void) {
        withUnsafeTemporaryAllocation(byteCount: 2 * Self.size, alignment: 1) { digits in
            withBytes { bytes in
                for (position, byte) in bytes.enumerated() {
                    digits[2 * position] = Self.hexDigit(byte >> 4)
                    digits[2 * position + 1] = Self.hexDigit(byte & 15)
                }
            }
            body(UnsafeRawBufferPointer(digits))
        }
    }

    /// The first 16 of the digits: enough to tell a few thousand apart where somebody looks at them.
    public var shortHex: String {
        let digits = String(words.0, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    /// Hands the 32 bytes to `body`.
    public func withBytes<Value>(_ body: (UnsafeRawBufferPointer) -> Value) -> Value {
        let bytes = (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian)
        return withUnsafeBytes(of: bytes, body)
    }

    private static func value(ofDigit digit: UInt8) -> UInt64? {
        switch digit {
        case 0x30...0x39: UInt64(digit - 0x30)
        case 0x61...0x66: UInt64(digit - 0x61 + 10)
        default: nil
        }
    }

    private static func hexDigit(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? 0x30 + nibble : 0x61 + nibble - 10
    }
}

extension Digest: Hashable {
    /// Whether all the bytes are the same.
    public static func == (left: Self, right: Self) -> Bool { left.words == right.words }

    /// A digest's first bytes are as good a hash as any.
    public func hash(into hasher: inout Swift.Hasher) { hasher.combine(words.0) }
}

extension Digest: Comparable {
    /// In the order of the bytes, which is that of the digits.
    public static func < (left: Self, right: Self) -> Bool { left.words < right.words }
}

extension Digest: CustomStringConvertible {
    /// `sha256:` and the digits: the form that documents use.
    public var description: String { "sha256:\(hex)" }
}

extension Digest {
    /// Computes a digest piece by piece.
    public struct Hasher {
        private var hash = SHA256()

        /// Begins with no data.
        public init() {}

        /// Adds `bytes` to what is hashed.
        public mutating func update(_ bytes: UnsafeRawBufferPointer) {
            hash.update(bufferPointer: bytes)
        }

        /// Adds `bytes` to what is hashed.
        public mutating func update(_ bytes: [UInt8]) {
            bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
        }

        /// Adds so many zeros to what is hashed.
        public mutating func update(zeros count: Int64) {
            let zeros = [UInt8](repeating: 0, count: Int(min(count, 64 << 10)))
            var rest = count
            while rest > 0 {
                let part = Int(min(rest, Int64(zeros.count)))
                zeros.withUnsafeBytes { hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<part])) }
                rest -= Int64(part)
            }
        }

        /// The digest of all that was added.
        public consuming func finalize() -> Digest {
            hash.finalize().withUnsafeBytes { Digest(sha256: $0) }
        }
    }
}

/// A text that is no sha256 digest.
public struct MalformedDigest: Error, Sendable, Hashable, CustomStringConvertible {
    /// The text as it was found.
    public let text: String

    /// Says what was found and what is expected.
    public var description: String {
        "`\(text.prefix(100))` is not a digest: expected sha256: and 64 lower-case hexadecimal digits"
    }
}

/// The digest of a layer's uncompressed tar.
///
/// Source: image-spec 1.1, config.md, "Layer DiffID".
public struct DiffID: Sendable, Hashable {
    /// The digest itself.
    public let digest: Digest

    /// Takes `digest` for that of an uncompressed tar.
    public init(_ digest: Digest) { self.digest = digest }
}

extension DiffID: CustomStringConvertible {
    /// The digest's text.
    public var description: String { digest.description }
}

/// The identity of a stack of layers.
///
/// Source: image-spec 1.1, config.md, "Layer ChainID".
public struct ChainID: Sendable, Hashable {
    /// The digest itself.
    public let digest: Digest

    /// Takes `digest` for a chain's, read back from where it was stored.
    public init(_ digest: Digest) { self.digest = digest }

    /// The chain of `layers`, lowest first; `nil` where there are none.
    public init?(_ layers: some Sequence<DiffID>) {
        var chain: ChainID?
        for layer in layers { chain = ChainID(appending: layer, to: chain) }
        guard let chain else { return nil }
        self = chain
    }

    /// The chain of `layer` on top of `parent`.
    public init(appending layer: DiffID, to parent: ChainID?) {
        if let parent {
            digest = Digest(of: "\(parent) \(layer)".utf8)
        } else {
            digest = layer.digest
        }
    }
}

extension ChainID: CustomStringConvertible {
    /// The digest's text.
    public var description: String { digest.description }
}
