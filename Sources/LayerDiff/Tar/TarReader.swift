/// Reads tars: v7, ustar, pax, GNU tar's and star's.
///
/// Names and link targets come out as the bytes that stand in the archive. (libarchive's reader converts what is in
/// extended headers to the locale's encoding, and drops link targets for which that fails.)
///
/// Source: POSIX.1-2017, pax, "EXTENDED DESCRIPTION"; GNU tar's manual, "Tar Internals".
final class TarReader {
    /// How long an extended header or a long name may be; as Go has it.
    private static let longestExtension: Int64 = 1 << 20

    private let cursor: TarCursor
    private var global: PaxRecords?
    private var map = SparseMap(whole: 0)
    /// What is left of the member's content in the archive, and what follows it up to the next block.
    private var unread: Int64 = 0
    private var padding: Int64 = 0

    init(_ source: any TarSource) {
        cursor = TarCursor(source)
    }

    /// What came before a member's own header.
    private struct Extensions {
        var records: PaxRecords?
        var longName: [UInt8]?
        var longLink: [UInt8]?
    }

    /// The next member; `nil` at the end of the archive.
    func next() throws(LayerError) -> TarMember? {
        var extensions = Extensions()
        while true {
            try cursor.skip(unread + padding)
            (unread, padding) = (0, 0)
            guard let block = try nextBlock() else { return nil }
            switch block.type {
            case UInt8(ascii: "x"), UInt8(ascii: "X"):
                extensions.records = try PaxRecords(try extensionContent(block), over: global)
            case UInt8(ascii: "g"): global = try PaxRecords(global: try extensionContent(block), over: global)
            case UInt8(ascii: "L"): extensions.longName = Array(try extensionContent(block).prefix { $0 != 0 })
            case UInt8(ascii: "K"): extensions.longLink = Array(try extensionContent(block).prefix { $0 != 0 })
            case UInt8(ascii: "V"): try begin(try Self.size(block))
            default: return try member(block, extensions)
            }
        }
    }

    /// Calls `body` with the pieces of the content of the member read last, and where in the file each one goes.
    ///
    /// What lies between the pieces, and between the last one and the size, are zeros.
    func content(
        _ body: (UnsafeRawBufferPointer, Int64) throws(LayerError) -> Void
    ) throws(LayerError) {
        for part in map.parts {
            var offset = part.offset
            let end = part.offset + part.length
            while offset < end {
                let piece = try cursor.take(atMost: min(end - offset, unread))
                if piece.isEmpty { throw LayerError(.truncated) }
                unread -= Int64(piece.count)
                try body(piece, offset)
                offset += Int64(piece.count)
            }
        }
        map = SparseMap(whole: 0)
    }

    // MARK: blocks

    private func nextBlock() throws(LayerError) -> TarBlock? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(TarBlock.size)
        try cursor.append(TarBlock.size, to: &bytes)
        // Some writers leave out the blocks of zeros that end an archive.
        if bytes.isEmpty { return nil }
        guard bytes.count == TarBlock.size else { throw LayerError(.truncated) }
        let block = TarBlock(bytes: bytes)
        if block.isZero { return nil }
        guard block.isValid else {
            throw LayerError(.corrupt(why: "it is no tar archive, or a header's checksum in it does not fit"))
        }
        return block
    }

    private func begin(_ size: Int64) throws(LayerError) {
        guard size >= 0 else { throw LayerError(.corrupt(why: "a member of its tar has a negative size")) }
        guard size <= Int64.max - Int64(TarBlock.size) else {
            throw LayerError(.corrupt(why: "a member of its tar has an impossible size"))
        }
        unread = size
        padding = (Int64(TarBlock.size) - size % Int64(TarBlock.size)) % Int64(TarBlock.size)
    }

    private func extensionContent(_ block: TarBlock) throws(LayerError) -> [UInt8] {
        try begin(try Self.size(block))
        guard unread <= Self.longestExtension else {
            throw LayerError(.limit(what: "bytes in one extended header", allowed: Self.longestExtension))
        }
        var content: [UInt8] = []
        try cursor.append(Int(unread), to: &content)
        guard content.count == Int(unread) else { throw LayerError(.truncated) }
        unread = 0
        return content
    }

    private static func size(_ block: TarBlock) throws(LayerError) -> Int64 {
        guard let size = block.number(124, 12) else { throw malformed("size", block.name) }
        return size
    }

    // MARK: members

    private func member(_ block: TarBlock, _ extensions: Extensions) throws(LayerError) -> TarMember {
        let records = extensions.records ?? global
        let name = records?["GNU.sparse.name"] ?? records?["path"] ?? extensions.longName ?? block.name
        let link = records?["linkpath"] ?? extensions.longLink ?? block.linkName
        guard !name.contains(0), !link.contains(0) else { throw Self.malformed("name", name) }
        let kind = Self.kind(block.type, name)
        let isHardLink = block.type == UInt8(ascii: "1")
        // Whatever their size says, only these have content; GNU's dumped directories list their files in it.
        let hasContent = (kind == .file && !isHardLink) || block.type == UInt8(ascii: "D")
        if hasContent {
            let stored = try Self.size(block)
            try begin(try records?.number("size") ?? stored)
        } else {
            try begin(0)
        }
        let size = try readMap(block, records)
        return TarMember(
            name: name,
            kind: kind,
            mode: UInt16(truncatingIfNeeded: (block.number(100, 8) ?? 0) & 0o7777),
            uid: try Self.identifier(try records?.number("uid") ?? block.number(108, 8), name),
            gid: try Self.identifier(try records?.number("gid") ?? block.number(116, 8), name),
            modified: try records?.number("mtime") ?? block.number(136, 12) ?? 0,
            size: kind == .file && !isHardLink ? size : 0,
            hardLink: isHardLink ? link : nil,
            symlink: kind == .symlink ? link : nil,
            deviceMajor: UInt32(clamping: block.number(329, 8) ?? 0),
            deviceMinor: UInt32(clamping: block.number(337, 8) ?? 0),
            attributes: records?.attributes ?? []
        )
    }

    /// Finds out where the content's parts go: the file's real size.
    private func readMap(_ block: TarBlock, _ records: PaxRecords?) throws(LayerError) -> Int64 {
        if block.type == UInt8(ascii: "S") {
            let (map, size) = try SparseMap.old(block, cursor, stored: unread)
            self.map = map
            return size
        }
        if unread > 0, let records, let sparse = try SparseMap.extended(records, cursor, stored: unread) {
            unread -= sparse.taken
            map = sparse.map
            return sparse.size
        }
        map = SparseMap(whole: unread)
        return unread
    }

    private static func kind(_ type: UInt8, _ name: [UInt8]) -> FileKind {
        switch type {
        case UInt8(ascii: "1"): .file
        case UInt8(ascii: "2"): .symlink
        case UInt8(ascii: "3"): .characterDevice
        case UInt8(ascii: "4"): .blockDevice
        case UInt8(ascii: "5"), UInt8(ascii: "D"): .directory
        case UInt8(ascii: "6"): .fifo
        // v7 has no type for directories. POSIX asks to take unknown types for files.
        default: name.last == UInt8(ascii: "/") ? .directory : .file
        }
    }

    private static func identifier(_ number: Int64?, _ name: [UInt8]) throws(LayerError) -> UInt32 {
        // To chown(2), the largest number means "leave the owner as it is": whoever unpacks would own the file.
        guard let number, let identifier = UInt32(exactly: number), identifier != UInt32.max else {
            throw malformed("owner", name)
        }
        return identifier
    }

    private static func malformed(_ field: String, _ name: [UInt8]) -> LayerError {
        LayerError(.hostileEntry(name: text(name.prefix { $0 != 0 }), why: "the \(field) in its header is malformed"))
    }
}
