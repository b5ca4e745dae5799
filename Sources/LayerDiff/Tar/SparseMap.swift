/// Which parts of a sparse file an archive has; the rest are zeros.
///
/// Source: GNU tar's manual, "Storing Sparse Files", for the old form in the header's own block and the forms 0.0, 0.1
/// and 1.0 in extended headers.
struct SparseMap {
    struct Part {
        let offset: Int64
        let length: Int64
    }

    private(set) var parts: [Part] = []

    /// The map of a file that is there as a whole.
    init(whole size: Int64) {
        parts = [Part(offset: 0, length: size)]
    }

    /// Checks what an archive says: in order, within `size`, and as many bytes as it has `stored`.
    private init(_ parts: [Part], size: Int64, stored: Int64) throws(LayerError) {
        var end: Int64 = 0
        var sum: Int64 = 0
        for part in parts {
            guard part.offset >= end, part.length >= 0, part.offset <= size, part.length <= size - part.offset else {
                throw Self.damaged
            }
            end = part.offset + part.length
            sum += part.length
        }
        guard sum == stored else { throw Self.damaged }
        self.parts = parts
    }

    static var damaged: LayerError { LayerError(.corrupt(why: "the map of a sparse file in its tar is malformed")) }

    // MARK: the old form

    /// Reads the map that begins in a header of type `S`, and goes on in blocks of its own.
    static func old(_ header: TarBlock, _ cursor: TarCursor, stored: Int64) throws(LayerError) -> (SparseMap, Int64) {
        guard let size = header.number(483, 12) else { throw damaged }
        var parts = try entries(header, at: 386, TarBlock.sparseEntriesInHeader)
        var isExtended = header.bytes[482] != 0
        while isExtended {
            var bytes: [UInt8] = []
            try cursor.append(TarBlock.size, to: &bytes)
            guard bytes.count == TarBlock.size, parts.count < mostParts else { throw LayerError(.truncated) }
            let block = TarBlock(bytes: bytes)
            parts += try entries(block, at: 0, TarBlock.sparseEntriesInExtension)
            isExtended = block.bytes[504] != 0
        }
        return (try SparseMap(parts, size: size, stored: stored), size)
    }

    private static func entries(_ block: TarBlock, at start: Int, _ count: Int) throws(LayerError) -> [Part] {
        var parts: [Part] = []
        for index in 0..<count where block.bytes[start + 24 * index] != 0 {
            guard let offset = block.number(start + 24 * index, 12),
                let length = block.number(start + 24 * index + 12, 12)
            else { throw damaged }
            parts.append(Part(offset: offset, length: length))
        }
        return parts
    }

    // MARK: the forms in extended headers

    private static let mostParts = 1 << 20
    /// How long a line of form 1.0 may be: no number that fits has more digits.
    private static let longestLine = 20

    /// Reads the map that `records` speak of, if they do: the map, the file's real size, and how many bytes of the
    /// content the map itself took.
    static func extended(
        _ records: PaxRecords,
        _ cursor: TarCursor,
        stored: Int64
    ) throws(LayerError) -> (map: SparseMap, size: Int64, taken: Int64)? {
        if try records.number("GNU.sparse.major") == 1 {
            guard let size = try records.number("GNU.sparse.realsize") else { throw damaged }
            let (parts, taken) = try inContent(cursor, stored: stored)
            return (try SparseMap(parts, size: size, stored: stored - taken), size, taken)
        }
        guard let size = try records.number("GNU.sparse.size") else { return nil }
        let pairs = records["GNU.sparse.map"] ?? records.sparsePairs
        var numbers: [Int64] = []
        for number in pairs.split(separator: UInt8(ascii: ",")) {
            guard let number = Int64(text(number)) else { throw damaged }
            numbers.append(number)
        }
        return (try SparseMap(paired(numbers), size: size, stored: stored), size, 0)
    }

    /// Form 1.0: lines of decimal numbers at the content's beginning, filled up to whole blocks.
    private static func inContent(
        _ cursor: TarCursor,
        stored: Int64
    ) throws(LayerError) -> (parts: [Part], taken: Int64) {
        var bytes: [UInt8] = []
        var position = 0
        func number() throws(LayerError) -> Int64 {
            while true {
                if let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) {
                    guard end - position <= longestLine, let value = Int64(text(bytes[position..<end])) else {
                        throw damaged
                    }
                    position = end + 1
                    return value
                }
                let before = bytes.count
                guard Int64(before) + Int64(TarBlock.size) <= stored, before - position <= longestLine else {
                    throw damaged
                }
                try cursor.append(TarBlock.size, to: &bytes)
                guard bytes.count == before + TarBlock.size else { throw LayerError(.truncated) }
            }
        }
        let count = try number()
        guard count >= 0, count <= mostParts else { throw damaged }
        var numbers: [Int64] = []
        for _ in 0..<(2 * count) { numbers.append(try number()) }
        return (try paired(numbers), Int64(bytes.count))
    }

    private static func paired(_ numbers: [Int64]) throws(LayerError) -> [Part] {
        guard numbers.count.isMultiple(of: 2) else { throw damaged }
        return stride(from: 0, to: numbers.count, by: 2).map { Part(offset: numbers[$0], length: numbers[$0 + 1]) }
    }
}
