/// Where in an image a file's content is.
struct ErofsContent {
    /// Chunks that are there, one after the other.
    struct Run {
        var first: Int
        var count: Int
    }

    /// Where what is there of it begins.
    let firstBlock: UInt32
    /// The chunks that are there; `nil` where the content lies in one piece.
    let runs: [Run]?

    static let empty = ErofsContent(firstBlock: 0, runs: nil)

    /// How long the list of chunks is.
    static func chunkCount(_ size: Int64) -> Int {
        Int((size + Int64(Erofs.chunkSize) - 1) / Int64(Erofs.chunkSize))
    }

    /// The first block of each chunk of a content of `size` bytes.
    func chunkMap(_ size: Int64) -> [UInt8] {
        let count = Self.chunkCount(size)
        var map: [UInt8] = []
        map.reserveCapacity(4 * count)
        var block = firstBlock
        for run in runs ?? [] {
            while map.count < 4 * run.first { map.append(little: Erofs.noBlock) }
            for _ in 0..<run.count {
                map.append(little: block)
                block += UInt32(Erofs.chunkBlocks)
            }
        }
        while map.count < 4 * count { map.append(little: Erofs.noBlock) }
        return map
    }
}

/// Puts one file's content into an image, without its long runs of zeros.
struct ErofsContentWriter {
    private let output: BlockOutput
    private let firstBlock: UInt32
    private var position: Int64 = 0
    private var runs: [ErofsContent.Run] = []
    private var hasHoles = false

    /// Begins at the output's next block.
    init(_ output: BlockOutput) throws(LayerError) {
        self.output = output
        try LayerError.wrapping { () throws(FileError) in try output.fillBlock() }
        let block = output.position / Int64(Erofs.blockSize)
        guard let number = UInt32(exactly: block), number != Erofs.noBlock else {
            throw LayerError(.noImage(path: "a file", why: "an image has at most 2^32 blocks"))
        }
        firstBlock = number
    }

    /// Where the next byte goes within its chunk.
    private var offsetInChunk: Int { Int(position % Int64(Erofs.chunkSize)) }

    /// Writes `bytes`, which come at `offset` or after; what is between is zeros.
    mutating func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileError) {
        try skip(to: offset)
        var rest = bytes
        while !rest.isEmpty {
            if offsetInChunk == 0 { try output.reserve(Erofs.chunkSize) }
            let count = min(Erofs.chunkSize - offsetInChunk, rest.count)
            try output.append(UnsafeRawBufferPointer(rebasing: rest.prefix(count)))
            advance(count)
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
        }
    }

    /// Ends the content at `size`.
    mutating func finish(_ size: Int64) throws(FileError) -> ErofsContent {
        try skip(to: size)
        if offsetInChunk > 0 { note(1) }
        guard hasHoles else { return ErofsContent(firstBlock: firstBlock, runs: nil) }
        return ErofsContent(firstBlock: firstBlock, runs: runs)
    }

    private mutating func skip(to offset: Int64) throws(FileError) {
        guard offset > position else { return }
        if offsetInChunk > 0 {
            let count = min(Int64(Erofs.chunkSize - offsetInChunk), offset - position)
            try output.appendZeros(Int(count))
            advance(Int(count))
        }
        let whole = (offset - position) / Int64(Erofs.chunkSize)
        if whole > 0 {
            hasHoles = true
            position += whole * Int64(Erofs.chunkSize)
        }
        let rest = Int(offset - position)
        if rest > 0 {
            try output.reserve(Erofs.chunkSize)
            try output.appendZeros(rest)
            advance(rest)
        }
    }

    private mutating func advance(_ count: Int) {
        position += Int64(count)
        guard offsetInChunk == 0 else { return }
        if output.takeBackZeros(Erofs.chunkSize) { hasHoles = true } else { note(0) }
    }

    /// Notes that the chunk before `position`, or the one that `position` is in, is there.
    private mutating func note(_ isPartial: Int64) {
        let chunk = Int(position / Int64(Erofs.chunkSize) - 1 + isPartial)
        if let last = runs.indices.last, runs[last].first + runs[last].count == chunk {
            runs[last].count += 1
        } else {
            runs.append(ErofsContent.Run(first: chunk, count: 1))
        }
    }
}
