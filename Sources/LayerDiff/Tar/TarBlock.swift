/// One header block of a tar and its fields.
///
/// Source: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar's manual, "Basic Tar Format" for its numbers in base
/// 256, its own use of the ustar prefix, and sparse files.
struct TarBlock {
    static let size = 512
    static let sparseEntriesInHeader = 4
    static let sparseEntriesInExtension = 21

    /// Exactly ``size`` bytes.
    let bytes: [UInt8]

    /// Whether this is one of the blocks that end an archive.
    var isZero: Bool { bytes.withUnsafeBytes { $0.isZero } }

    /// Whether the checksum fits; some old writers summed signed bytes.
    var isValid: Bool {
        guard let stored = number(148, 8) else { return false }
        var unsigned: Int64 = 0
        var signed: Int64 = 0
        for (offset, byte) in bytes.enumerated() {
            let counted = (148..<156).contains(offset) ? UInt8(ascii: " ") : byte
            unsigned += Int64(counted)
            signed += Int64(Int8(bitPattern: counted))
        }
        return stored == unsigned || stored == signed
    }

    var type: UInt8 { bytes[156] }
    var linkName: [UInt8] { string(157, 100) }

    /// The name, with the prefix of the formats that have one.
    var name: [UInt8] {
        let name = string(0, 100)
        guard bytes[257..<263].elementsEqual("ustar\0".utf8) else { return name }
        // star marks its blocks at the end, and keeps times where the prefix would go on.
        let isStar = bytes[508..<512].elementsEqual("tar\0".utf8)
        let prefix = string(345, isStar ? 131 : 155)
        return prefix.isEmpty ? name : prefix + [UInt8(ascii: "/")] + name
    }

    /// The bytes of a field up to the first zero.
    func string(_ offset: Int, _ length: Int) -> [UInt8] {
        Array(bytes[offset..<(offset + length)].prefix { $0 != 0 })
    }

    /// A number in octal digits, or big-endian in base 256 if the first bit is set; an empty field is zero.
    ///
    /// `nil` for anything else, and for what does not fit.
    func number(_ offset: Int, _ length: Int) -> Int64? {
        let field = bytes[offset..<(offset + length)]
        guard let first = field.first, first & 0x80 != 0 else { return Self.octal(field) }
        var value: Int64 = first & 0x40 != 0 ? -1 : 0
        for (position, byte) in field.enumerated() {
            let digit = position == 0 ? (byte & 0x7f) | (value < 0 ? 0x80 : 0) : byte
            guard value >= Int64.min >> 8, value <= Int64.max >> 8 else { return nil }
            value = value << 8 | Int64(digit)
        }
        return value
    }

    private static func octal(_ field: ArraySlice<UInt8>) -> Int64? {
        let digits = field.drop { $0 == UInt8(ascii: " ") }.prefix { $0 != 0 && $0 != UInt8(ascii: " ") }
        var value: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(digit), value <= Int64.max >> 3 else { return nil }
            value = value << 3 | Int64(digit - UInt8(ascii: "0"))
        }
        return value
    }
}
