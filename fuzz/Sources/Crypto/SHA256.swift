/// Stands in for swift-crypto's SHA-256, so that fuzzers need neither build it nor wait for it.
///
/// Four 64-bit FNV-1a hashes with different seeds: equal bytes give equal digests, however they are cut into pieces,
/// and fuzzers do not look for collisions.
public struct SHA256 {
    private var state: (UInt64, UInt64, UInt64, UInt64) = (
        0xcbf2_9ce4_8422_2325, 0x8422_2325_cbf2_9ce4, 0x9ce4_8422_2325_cbf2, 0x2325_cbf2_9ce4_8422
    )

    /// Begins with no data.
    public init() {}

    /// Adds bytes.
    public mutating func update(bufferPointer bytes: UnsafeRawBufferPointer) {
        for byte in bytes {
            let byte = UInt64(byte)
            state.0 = (state.0 ^ byte) &* 0x100_0000_01b3
            state.1 = (state.1 ^ byte &* 3) &* 0x100_0000_01b3
            state.2 = (state.2 ^ byte &* 5) &* 0x100_0000_01b3
            state.3 = (state.3 ^ byte &* 7) &* 0x100_0000_01b3
        }
    }

    /// The 32 bytes.
    public func finalize() -> [UInt8] {
        withUnsafeBytes(of: state) { Array($0) }
    }
}
