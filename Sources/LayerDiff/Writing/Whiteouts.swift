/// How layers say that something below is gone.
///
/// Source: image-spec 1.1, layer.md, "Whiteouts".
enum Whiteouts {
    static let prefix = Array(".wh.".utf8)
    static let opaque = Array(".wh..wh..opq".utf8)
    /// What AUFS kept for itself in its branches; some old layers have it.
    static let metadataPrefix = Array(".wh..wh.".utf8)

    /// Whether one of a path's components would be taken for a mark.
    static func hasReserved(_ path: ContainerPath) -> Bool {
        path.bytes.withUnsafeBytes { bytes in
            var isStart = true
            for (position, byte) in bytes.enumerated() {
                if isStart, byte == UInt8(ascii: "."), bytes[position...].starts(with: prefix) { return true }
                isStart = byte == UInt8(ascii: "/")
            }
            return false
        }
    }

    /// Whether a file of this name would be taken for a mark.
    static func isReserved(_ name: ArraySlice<UInt8>) -> Bool { name.starts(with: prefix) }
}
