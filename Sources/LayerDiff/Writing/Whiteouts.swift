/// How layers say that something below is gone.
///
/// Source: image-spec 1.1, layer.md, "Whiteouts".
enum Whiteouts {
    static let prefix = Array(".wh.".utf8)
    static let opaque = Array(".wh..wh..opq".utf8)
    /// What AUFS kept for itself in its branches; some old layers have it.
    static let metadataPrefix = Array(".wh..wh.".utf8)

    /// Whether a file of this name would be taken for a mark.
    static func isReserved(_ name: ArraySlice<UInt8>) -> Bool { name.starts(with: prefix) }
}
