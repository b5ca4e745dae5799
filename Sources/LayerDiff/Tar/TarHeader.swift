/// One header of a tar archive, with the extended header before it where it is needed.
///
/// Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header"; extended attributes as in star's
/// `SCHILY.xattr.`, which GNU tar, libarchive and Go read.
struct TarHeader {
    static let blockSize = 512

    enum TypeFlag: UInt8 {
        case file = 0x30
        case hardLink, symlink, characterDevice, blockDevice, directory, fifo
        case extended = 0x78
    }

    var name: [UInt8]
    var type: TypeFlag
    var mode: UInt16 = 0
    var uid: UInt32 = 0
    var gid: UInt32 = 0
    var size: Int64 = 0
    var modified: Int64 = 0
    var linkName: [UInt8] = []
    var deviceMajor: UInt32 = 0
    var deviceMinor: UInt32 = 0
    var attributes: [ExtendedAttribute] = []

    /// Appends the blocks of this header to `output`.
    func append(to output: inout [UInt8]) {
        let records = extendedRecords()
        if !records.isEmpty {
            var extended = TarHeader(name: Array("PaxHeaders.0/".utf8) + baseName(), type: .extended, mode: 0o644)
            extended.size = Int64(records.count)
            extended.appendBlock(to: &output)
            output.append(contentsOf: records)
            let over = records.count % Self.blockSize
            if over > 0 { output.append(contentsOf: repeatElement(0, count: Self.blockSize - over)) }
        }
        appendBlock(to: &output)
    }

    /// The name's last component, for the extended header's own name, which readers ignore.
    private func baseName() -> ArraySlice<UInt8> {
        name.split(separator: UInt8(ascii: "/")).last ?? []
    }

    // MARK: the extended header

    private static let longestName = 100
    private static let largestID = UInt32(0o7777777)
    private static let largestNumber = Int64(0o77777777777)

    /// The records for what does not fit into the block.
    private func extendedRecords() -> [UInt8] {
        guard type != .extended else { return [] }
        var records: [UInt8] = []
        if name.count > Self.longestName { Self.append("path".utf8, name, to: &records) }
        if linkName.count > Self.longestName { Self.append("linkpath".utf8, linkName, to: &records) }
        if size > Self.largestNumber { Self.append("size".utf8, Array("\(size)".utf8), to: &records) }
        if uid > Self.largestID { Self.append("uid".utf8, Array("\(uid)".utf8), to: &records) }
        if gid > Self.largestID { Self.append("gid".utf8, Array("\(gid)".utf8), to: &records) }
        if modified < 0 || modified > Self.largestNumber {
            Self.append("mtime".utf8, Array("\(modified)".utf8), to: &records)
        }
        for attribute in attributes {
            Self.append(Array("SCHILY.xattr.".utf8) + attribute.name, attribute.value, to: &records)
        }
        return records
    }

    /// A record is `length key=value\n`, where the length counts its own digits too.
    private static func append(_ key: some Collection<UInt8>, _ value: [UInt8], to records: inout [UInt8]) {
        let rest = key.count + value.count + 3
        var length = rest + 1
        while String(length).utf8.count + rest != length { length = String(length).utf8.count + rest }
        records.append(contentsOf: "\(length) ".utf8)
        records.append(contentsOf: key)
        records.append(UInt8(ascii: "="))
        records.append(contentsOf: value)
        records.append(UInt8(ascii: "\n"))
    }

    // MARK: the block

    private func appendBlock(to output: inout [UInt8]) {
        let start = output.count
        output.append(contentsOf: repeatElement(0, count: Self.blockSize))
        output.withUnsafeMutableBytes { all in
            let block = UnsafeMutableRawBufferPointer(rebasing: all[start...])
            Self.put(name, at: 0, in: block)
            Self.put(octal: Int64(mode), digits: 7, at: 100, in: block)
            Self.put(octal: uid > Self.largestID ? 0 : Int64(uid), digits: 7, at: 108, in: block)
            Self.put(octal: gid > Self.largestID ? 0 : Int64(gid), digits: 7, at: 116, in: block)
            Self.put(octal: size > Self.largestNumber ? 0 : size, digits: 11, at: 124, in: block)
            let fits = modified >= 0 && modified <= Self.largestNumber
            Self.put(octal: fits ? modified : 0, digits: 11, at: 136, in: block)
            block[156] = type.rawValue
            Self.put(linkName, at: 157, in: block)
            block[257...].copyBytes(from: "ustar\u{0}00".utf8)
            Self.put(octal: Int64(deviceMajor), digits: 7, at: 329, in: block)
            Self.put(octal: Int64(deviceMinor), digits: 7, at: 337, in: block)
            // The checksum counts itself as eight spaces.
            var sum: UInt32 = 8 * 0x20
            // Without a look at overflow, which 512 bytes cannot cause: the compiler adds many at once then.
            for offset in 0..<Self.blockSize { sum &+= UInt32(block[offset]) }
            Self.put(octal: Int64(sum), digits: 6, at: 148, in: block)
            block[155] = UInt8(ascii: " ")
        }
    }

    private static func put(_ name: [UInt8], at offset: Int, in block: UnsafeMutableRawBufferPointer) {
        block[offset...].copyBytes(from: name.prefix(longestName))
    }

    private static func put(
        octal number: Int64,
        digits: Int,
        at offset: Int,
        in block: UnsafeMutableRawBufferPointer
    ) {
        var rest = number
        for position in (offset..<(offset + digits)).reversed() {
            block[position] = UInt8(ascii: "0") + UInt8(rest & 7)
            rest >>= 3
        }
    }
}
