/// The records of an extended header.
///
/// Values are bytes: POSIX says UTF-8, but writers put names in as the file system has them.
///
/// Source: POSIX.1-2017, pax, "pax Extended Header"; star's `SCHILY.xattr.` and libarchive's `LIBARCHIVE.xattr.` for
/// extended attributes.
struct PaxRecords {
    private(set) var values: [String: [UInt8]] = [:]
    /// In byte order of their names.
    private(set) var attributes: [ExtendedAttribute] = []
    /// Offsets and lengths in the order given: the first form of GNU's sparse files repeats its keys.
    private(set) var sparsePairs: [UInt8] = []

    /// How much the names of a file's attributes may be together, each with a zero, and each value.
    ///
    /// Linux could not set more: `XATTR_LIST_MAX`, `XATTR_SIZE_MAX`.
    private static let mostAttributeBytes = 64 << 10
    /// How much global headers may say in all: it counts again for each member.
    private static let mostGlobalBytes = 64 << 10

    private static let starPrefix = Array("SCHILY.xattr.".utf8)
    private static let libarchivePrefix = Array("LIBARCHIVE.xattr.".utf8)

    /// Reads the content of an extended header, over what came `before` it.
    init(_ content: [UInt8], over before: PaxRecords? = nil) throws(LayerError) {
        if let before { self = before }
        var named: [[UInt8]: [UInt8]] = [:]
        for attribute in attributes { named[attribute.name] = attribute.value }
        var rest = content[...]
        while let first = rest.first {
            // Some writers fill the rest up with zeros.
            if first == 0 && rest.allSatisfy({ $0 == 0 }) { break }
            guard let space = rest.prefix(20).firstIndex(of: UInt8(ascii: " ")),
                let length = Int(text(rest[..<space])), length > space - rest.startIndex + 1, length <= rest.count
            else { throw Self.damaged }
            let record = rest[rest.index(after: space)..<(rest.startIndex + length)]
            guard record.last == UInt8(ascii: "\n"), let equals = record.firstIndex(of: UInt8(ascii: "=")) else {
                throw Self.damaged
            }
            add(record[..<equals], record[(equals + 1)...].dropLast(), to: &named)
            rest = rest.dropFirst(length)
        }
        attributes = named.map(ExtendedAttribute.init(name:value:)).sorted { precedes($0.name, $1.name) }
        try checkAttributes()
    }

    /// Reads the content of a global header, which holds for all members after it.
    init(global content: [UInt8], over before: PaxRecords?) throws(LayerError) {
        try self.init(content, over: before)
        var bytes = sparsePairs.count
        for (key, value) in values { bytes += key.utf8.count + value.count }
        for attribute in attributes { bytes += attribute.name.count + attribute.value.count }
        guard bytes <= Self.mostGlobalBytes else {
            throw LayerError(.limit(what: "bytes in global headers", allowed: Int64(Self.mostGlobalBytes)))
        }
    }

    subscript(key: String) -> [UInt8]? { values[key] }

    /// A whole number, negative or not; a fraction is cut off downwards.
    func number(_ key: String) throws(LayerError) -> Int64? {
        guard let value = values[key], !value.isEmpty else { return nil }
        let parts = value.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first, let number = Int64(text(whole)) else { throw Self.damaged }
        let hasFraction = parts.count > 1 && parts[1].contains { $0 != UInt8(ascii: "0") }
        return hasFraction && value.first == UInt8(ascii: "-") && number > Int64.min ? number - 1 : number
    }

    static var damaged: LayerError { LayerError(.corrupt(why: "an extended header of its tar is malformed")) }

    /// Takes a record; libarchive writes each attribute in both ways, and star's, which needs no decoding, counts.
    private mutating func add(
        _ key: ArraySlice<UInt8>,
        _ value: ArraySlice<UInt8>,
        to attributes: inout [[UInt8]: [UInt8]]
    ) {
        if key.starts(with: Self.starPrefix) {
            let name = Array(key.dropFirst(Self.starPrefix.count))
            if Self.isAttribute(name) { attributes[name] = Array(value) }
        } else if key.starts(with: Self.libarchivePrefix) {
            let name = Percent.decoded(key.dropFirst(Self.libarchivePrefix.count))
            if Self.isAttribute(name), attributes[name] == nil { attributes[name] = Base64.decoded(value) }
        } else if key.elementsEqual("GNU.sparse.offset".utf8) || key.elementsEqual("GNU.sparse.numbytes".utf8) {
            if !sparsePairs.isEmpty { sparsePairs.append(UInt8(ascii: ",")) }
            sparsePairs += value
        } else {
            values[text(key)] = Array(value)
        }
    }

    private static func isAttribute(_ name: [UInt8]) -> Bool {
        !name.isEmpty && !name.contains(0) && ExtendedAttribute.isPortable(name)
    }

    private func checkAttributes() throws(LayerError) {
        var names = 0
        for attribute in attributes {
            names += attribute.name.count + 1
            guard names <= Self.mostAttributeBytes, attribute.value.count <= Self.mostAttributeBytes else {
                let what = "bytes in the names of a file's extended attributes, or in one of their values"
                throw LayerError(.limit(what: what, allowed: Int64(Self.mostAttributeBytes)))
            }
        }
    }
}

private enum Percent {
    /// Undoes `%XX`; what is malformed stays as it is.
    static func decoded(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2, let value = UInt8(text(rest.prefix(2)), radix: 16) {
                result.append(value)
                rest = rest.dropFirst(2)
            } else {
                result.append(byte)
            }
        }
        return result
    }
}

private enum Base64 {
    /// The bytes that `bytes` stand for, padded or not; `nil` if there are some of another alphabet.
    ///
    /// Source: RFC 4648, section 4.
    static func decoded(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in bytes {
            if byte == UInt8(ascii: "=") { break }
            guard let value = value(of: byte) else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                result.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return result
    }

    private static func value(of byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
