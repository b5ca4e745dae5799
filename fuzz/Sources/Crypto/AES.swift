/// Stands in for swift-crypto's key, as SHA256 does for its hash.
public struct SymmetricKey {
    let bytes: [UInt8]

    /// Takes the key's bytes.
    public init(data: [UInt8]) { bytes = data }
}

/// Stands in for AES-GCM where it makes fingerprints: the tag is a hash of key and content.
public enum AES {
    /// The mode of operation.
    public enum GCM {
        /// A number used once, which does not matter here.
        public struct Nonce {
            /// Takes any bytes.
            public init(data: [UInt8]) throws {}
        }

        /// What sealing gives.
        public struct SealedBox {
            /// The 16 bytes that tell contents apart.
            public let tag: [UInt8]
        }

        /// Makes the tag of `content`.
        public static func seal(
            _ message: [UInt8],
            using key: SymmetricKey,
            nonce: Nonce,
            authenticating content: UnsafeRawBufferPointer
        ) throws -> SealedBox {
            var hash = SHA256()
            key.bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
            hash.update(bufferPointer: content)
            return SealedBox(tag: Array(hash.finalize().prefix(16)))
        }
    }
}
