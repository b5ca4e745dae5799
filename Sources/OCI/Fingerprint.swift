import Crypto

/// Sixteen bytes that tell contents apart, for whoever has the key.
public struct Fingerprint: Sendable, Hashable {
    /// How many bytes a fingerprint has.
    public static let size = 16

    private let first: UInt64
    private let second: UInt64

    /// Takes the bytes of a fingerprint; what is missing counts as zero.
    public init(bytes: UnsafeRawBufferPointer) {
        func word(_ offset: Int) -> UInt64 {
            guard bytes.count >= offset + 8 else { return 0 }
            return UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        first = word(0)
        second = word(8)
    }

    /// The bytes.
    public var bytes: [UInt8] {
        [first, second].flatMap { word in withUnsafeBytes(of: word.bigEndian) { Array($0) } }
    }
}

/// Makes fingerprints: GMAC under a key that stays on this machine.
///
/// A sha256 would do as well and takes many times longer on processors without instructions for it. Under a key that
/// whoever makes the contents does not know, two contents of n bytes have the same fingerprint with a probability of
/// n/2^132 (GHASH is a universal hash). To somebody who knows the key a fingerprint says nothing: it is for the store's
/// own files, and goes nowhere else.
///
/// Source: NIST SP 800-38D, sections 6.4 and 7.1; the nonce is the same for all, which is what makes a function of it,
/// and is safe while nobody sees key or fingerprints.
public struct FingerprintKey: Sendable, Hashable {
    /// How many bytes a key has.
    public static let size = 32

    /// The bytes of the key.
    public let bytes: [UInt8]

    /// Makes a key by chance.
    public init() {
        var generator = SystemRandomNumberGenerator()
        bytes = (0..<Self.size).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    /// Takes the 32 bytes of a key; `nil` where there are not as many.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Self.size else { return nil }
        self.bytes = Array(bytes)
    }

    /// The fingerprint of `content`; `nil` where the library refuses, which nobody has seen.
    public func fingerprint(of content: UnsafeRawBufferPointer) -> Fingerprint? {
        guard let nonce = try? AES.GCM.Nonce(data: [UInt8](repeating: 0, count: 12)),
            let sealed = try? AES.GCM.seal(
                [UInt8](),
                using: SymmetricKey(data: bytes),
                nonce: nonce,
                authenticating: content
            )
        else { return nil }
        return Array(sealed.tag).withUnsafeBytes { Fingerprint(bytes: $0) }
    }
}
