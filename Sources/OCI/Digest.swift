import Crypto

/// A sha256 digest: the only algorithm that swbuild writes or accepts.
///
/// Source: image-spec 1.1, descriptor.md, "Digests".
public struct Digest: Sendable, Hashable {
    /// The 64 lower-case hexadecimal digits.
    public let hex: String

    /// Parses `sha256:` and 64 lower-case hexadecimal digits.
    /// - Throws: ``MalformedDigest`` for anything else.
    public init(parsing text: String) throws(MalformedDigest) {
        let prefix = "sha256:"
        guard text.hasPrefix(prefix) else { throw MalformedDigest(text: text) }
        let hex = text.dropFirst(prefix.count)
        guard hex.utf8.count == 64, hex.utf8.allSatisfy(Self.isLowerCaseHexDigit) else {
            throw MalformedDigest(text: text)
        }
        self.hex = String(hex)
    }

    /// The digest of `data`.
    public init(of data: some Sequence<UInt8>) {
        var hasher = Hasher()
        hasher.update(Array(data))
        self = hasher.finalize()
    }

    /// Takes the 32 bytes of a computed sha256.
    public init(sha256 bytes: some Sequence<UInt8>) {
        var digits: [UInt8] = []
        digits.reserveCapacity(64)
        for byte in bytes {
            digits.append(Self.hexDigit(byte >> 4))
            digits.append(Self.hexDigit(byte & 15))
        }
        hex = String(decoding: digits, as: UTF8.self)
    }

    private static func isLowerCaseHexDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
    }

    private static func hexDigit(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? 0x30 + nibble : 0x61 + nibble - 10
    }
}

extension Digest: Comparable {
    /// In the order of the digits.
    public static func < (left: Self, right: Self) -> Bool { left.hex < right.hex }
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

        /// The digest of all that was added.
        public consuming func finalize() -> Digest {
            Digest(sha256: hash.finalize())
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
