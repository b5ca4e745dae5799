// The form in which an index is stored beside its layer:
//
//     "SWLI" 1                       magic and version
//     count
//     per entry   shared rest        the path: how many bytes it shares with the path before it, and what follows
//                 tag payload        the kind
//                 mode uid gid modified
//                 count (name value)…
//
// Numbers are unsigned LEB128; `modified` is zigzag-coded; byte strings have their length before them.

private let magic: [UInt8] = Array("SWLI".utf8) + [1]

extension LayerIndex {
    /// The index in a compact form of its own, read back by ``init(decoding:)``.
    public func encoded() -> [UInt8] {
        var output = magic
        output.reserveCapacity(entries.count * 32)
        output.append(number: UInt64(entries.count))
        var previous: [UInt8] = []
        for entry in entries {
            let path = entry.path.bytes
            let shared = Self.sharedCount(previous, path)
            output.append(number: UInt64(shared))
            output.append(string: path[shared...])
            output.append(kind: entry.kind)
            output.append(number: UInt64(entry.mode))
            output.append(number: UInt64(entry.uid))
            output.append(number: UInt64(entry.gid))
            output.append(number: UInt64(bitPattern: (entry.modified << 1) ^ (entry.modified >> 63)))
            output.append(number: UInt64(entry.attributes.count))
            for attribute in entry.attributes {
                output.append(string: attribute.name[...])
                output.append(string: attribute.value[...])
            }
            previous = path
        }
        return output
    }

    /// How many bytes both begin with.
    private static func sharedCount(_ left: [UInt8], _ right: [UInt8]) -> Int {
        let most = min(left.count, right.count)
        var count = 0
        while count < most, left[count] == right[count] { count += 1 }
        return count
    }

    /// Reads what ``encoded()`` wrote.
    /// - Throws: ``LayerError`` for anything else, however it came about.
    public init(decoding bytes: [UInt8]) throws(LayerError) {
        guard bytes.starts(with: magic) else {
            throw LayerError(.corrupt(why: "this is no layer index of version \(magic.last ?? 0)"))
        }
        var decoder = IndexDecoder(bytes: bytes, position: magic.count)
        let count = try decoder.number(atMost: UInt64(bytes.count / IndexDecoder.shortestEntry))
        var entries: [TreeEntry] = []
        entries.reserveCapacity(Int(count))
        var previous: ContainerPath?
        for _ in 0..<count {
            let entry = try decoder.entry(after: previous)
            previous = entry.path
            entries.append(entry)
        }
        guard decoder.isAtEnd else { throw IndexDecoder.damaged("there is more behind its end") }
        self.init(sorted: entries)
    }
}

/// The numbers that stand for the kinds.
private enum KindTag: UInt64 {
    case file = 0, directory, opaqueDirectory, symlink, hardLink, characterDevice, blockDevice, fifo, whiteout
}

extension [UInt8] {
    fileprivate mutating func append(number: UInt64) {
        var rest = number
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }

    fileprivate mutating func append(string: ArraySlice<UInt8>) {
        append(number: UInt64(string.count))
        append(contentsOf: string)
    }

    fileprivate mutating func append(tag: KindTag, _ numbers: UInt64...) {
        append(number: tag.rawValue)
        for number in numbers { append(number: number) }
    }

    fileprivate mutating func append(kind: TreeEntry.Kind) {
        switch kind {
        case .file(let size): append(tag: .file, UInt64(bitPattern: size))
        case .directory(let opaque): append(tag: opaque ? .opaqueDirectory : .directory)
        case .symlink(let target):
            append(tag: .symlink)
            append(string: target[...])
        case .hardLink(let target):
            append(tag: .hardLink)
            append(string: target.bytes[...])
        case .characterDevice(let major, let minor): append(tag: .characterDevice, UInt64(major), UInt64(minor))
        case .blockDevice(let major, let minor): append(tag: .blockDevice, UInt64(major), UInt64(minor))
        case .fifo: append(tag: .fifo)
        case .whiteout: append(tag: .whiteout)
        }
    }
}

/// A reader of stored indexes that believes nothing.
private struct IndexDecoder {
    /// Shared beginnings let few bytes stand for many: this bounds what a damaged index can make of itself.
    static let longestPath: UInt64 = 1 << 16
    /// The bytes of an entry whose numbers have one digit each and whose strings are empty.
    static let shortestEntry = 8

    let bytes: [UInt8]
    var position: Int
    var pathBytes: UInt64 = 0

    init(bytes: [UInt8], position: Int) {
        self.bytes = bytes
        self.position = position
    }

    static func damaged(_ why: String) -> LayerError {
        LayerError(.corrupt(why: "the stored layer index is not usable: \(why)"))
    }

    var isAtEnd: Bool { position == bytes.count }

    mutating func number(atMost limit: UInt64 = .max) throws(LayerError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard position < bytes.count else { throw Self.damaged("it ends early") }
            let byte = bytes[position]
            position += 1
            let part = UInt64(byte & 0x7f)
            guard shift < 63 || (shift == 63 && part <= 1) else { throw Self.damaged("a number is too long") }
            value |= part << shift
            if byte & 0x80 == 0 { break }
            shift += 7
        }
        guard value <= limit else { throw Self.damaged("a number is too large") }
        return value
    }

    mutating func string() throws(LayerError) -> ArraySlice<UInt8> { bytes[try stringRange()] }

    /// Where the bytes of a string are.
    mutating func stringRange() throws(LayerError) -> Range<Int> {
        let length = Int(try number(atMost: UInt64(bytes.count - position)))
        guard length <= bytes.count - position else { throw Self.damaged("it ends early") }
        defer { position += length }
        return position..<(position + length)
    }

    mutating func path(after previous: ContainerPath?) throws(LayerError) -> ContainerPath {
        let before = previous?.bytes ?? []
        let shared = Int(try number(atMost: UInt64(before.count)))
        let rest = try stringRange()
        pathBytes += UInt64(shared + rest.count)
        guard shared + rest.count <= Self.longestPath, pathBytes <= LayerIndex.mostTextBytes else {
            throw Self.damaged("a path is too long")
        }
        let path = try clean(joined(before, shared, rest))
        if let previous, !(previous < path) { throw Self.damaged("its paths are not in order") }
        return path
    }

    /// The first `shared` bytes of `before`, and some of the index's behind them.
    private func joined(_ before: [UInt8], _ shared: Int, _ rest: Range<Int>) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: shared + rest.count) { buffer, count in
            let path = UnsafeMutableRawBufferPointer(buffer)
            before.withUnsafeBytes { path.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<shared])) }
            bytes.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(rebasing: path[shared...])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[rest]))
            }
            count = shared + rest.count
        }
    }

    private func clean(_ bytes: [UInt8]) throws(LayerError) -> ContainerPath {
        guard let path = ContainerPath(ifClean: bytes) else { throw Self.damaged("a path is malformed") }
        return path
    }

    mutating func entry(after previous: ContainerPath?) throws(LayerError) -> TreeEntry {
        let path = try path(after: previous)
        let kind = try kind()
        let mode = UInt16(try number(atMost: 0o7777))
        let uid = UInt32(try number(atMost: UInt64(UInt32.max)))
        let gid = UInt32(try number(atMost: UInt64(UInt32.max)))
        let zigzag = try number()
        let modified = Int64(bitPattern: zigzag >> 1) ^ -Int64(bitPattern: zigzag & 1)
        var attributes: [ExtendedAttribute] = []
        for _ in 0..<(try number(atMost: UInt64(bytes.count))) {
            attributes.append(ExtendedAttribute(name: Array(try string()), value: Array(try string())))
        }
        return TreeEntry(
            path: path,
            kind: kind,
            mode: mode,
            uid: uid,
            gid: gid,
            modified: modified,
            attributes: attributes
        )
    }

    mutating func kind() throws(LayerError) -> TreeEntry.Kind {
        guard let tag = KindTag(rawValue: try number()) else { throw Self.damaged("it names an unknown kind of file") }
        switch tag {
        case .file: return .file(size: Int64(try number(atMost: UInt64(Int64.max))))
        case .directory: return .directory(opaque: false)
        case .opaqueDirectory: return .directory(opaque: true)
        case .symlink: return .symlink(target: Array(try string()))
        case .hardLink: return .hardLink(target: try clean(Array(try string())))
        case .characterDevice: return .characterDevice(major: try device(), minor: try device())
        case .blockDevice: return .blockDevice(major: try device(), minor: try device())
        case .fifo: return .fifo
        case .whiteout: return .whiteout
        }
    }

    mutating func device() throws(LayerError) -> UInt32 {
        UInt32(try number(atMost: UInt64(UInt32.max)))
    }
}
