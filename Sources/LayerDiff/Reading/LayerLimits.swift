/// How much a layer or archive from outside may ask for.
public struct LayerLimits: Sendable, Hashable {
    /// How many entries.
    public var maxEntries: Int
    /// How many bytes, in the tar and in the files that it makes.
    public var maxBytes: Int64

    /// Two million entries and 256 GiB, unless told otherwise.
    public init(maxEntries: Int = 2_000_000, maxBytes: Int64 = 256 << 30) {
        self.maxEntries = maxEntries
        self.maxBytes = maxBytes
    }
}
