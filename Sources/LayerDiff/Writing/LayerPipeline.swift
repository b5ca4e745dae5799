import OCI
import SystemPackage

/// What a tar's bytes run through: their digest on one thread; compression, the blob's digest and the writing on another;
/// on a third one, where patterns are looked for, the search.
///
/// The producer, on the caller's thread, fills the ring's buffers. A tar that fits into one buffer starts no thread.
final class LayerPipeline {
    /// 32 buffers of 512 KiB: as much as the compressor may be behind when the tar is done.
    private static let chunks = 32
    private static let hasherReader = 0
    private static let encoderReader = 1

    private static let searchReader = 2

    private let ring: ChunkRing
    private let search: PatternSearch?
    private let blob: FileDescriptor
    private let options: LayerOptions
    private var threads: Threads?
    private var chunk: UnsafeMutableRawBufferPointer
    private var filled = 0
    /// How much of the chunk was searched for the end of a piece.
    private var seen = 0
    private var isFinished = false
    private(set) var size: Int64 = 0
    /// The first pattern in the tar, known when that is finished.
    private(set) var found: (pattern: Int, offset: Int64)?

    private struct Threads {
        let hasher: WorkerThread<Result<Digest, LayerError>>
        let searcher: WorkerThread<Result<StreamSearch, LayerError>>?
        let encoder: WorkerThread<Result<EncodedBlob, LayerError>>
    }

    init(
        blob: FileDescriptor,
        options: LayerOptions,
        search: PatternSearch? = nil
    ) throws(LayerError) {
        ring = ChunkRing(chunks: Self.chunks, readers: search == nil ? 2 : 3)
        self.search = search
        self.blob = blob
        self.options = options
        chunk = try ring.nextFree()
    }

    deinit {
        // A tar that was given up: its threads, joined as they go, must not wait for more of it.
        if !isFinished { ring.fail(LayerError(.resources(what: "writers of this layer"))) }
    }

    /// Whether what reads the tar has a lot to do still: bringing more of it faster would be of no use.
    var isBehind: Bool { ring.waiting >= Self.chunks / 2 }

    /// Adds `bytes` to the tar.
    func write(_ bytes: UnsafeRawBufferPointer) throws(LayerError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = min(rest.count, chunk.count - filled)
            let space = UnsafeMutableRawBufferPointer(rebasing: chunk[filled..<(filled + count)])
            space.copyMemory(from: UnsafeRawBufferPointer(rebasing: rest.prefix(count)))
            try advance(count)
            rest = rest.dropFirst(count)
        }
    }

    /// Adds `count` zeros to the tar.
    func writeZeros(_ count: Int64) throws(LayerError) {
        var rest = count
        while rest > 0 {
            let part = Int(min(rest, Int64(chunk.count - filled)))
            let space = UnsafeMutableRawBufferPointer(rebasing: chunk[filled..<(filled + part)])
            _ = space.initializeMemory(as: UInt8.self, repeating: 0)
            try advance(part)
            rest -= Int64(part)
        }
    }

    /// Has `fill` write up to `most` bytes where the tar goes on: how many it wrote.
    func write(
        atMost most: Int64,
        _ fill: (UnsafeMutableRawBufferPointer) throws(LayerError) -> Int
    ) throws(LayerError) -> Int {
        let room = Int(min(most, Int64(chunk.count - filled)))
        let count = try fill(UnsafeMutableRawBufferPointer(rebasing: chunk[filled..<(filled + room)]))
        try advance(count)
        return count
    }

    /// Takes note of `count` bytes that were put where the tar goes on, and hands over what is a whole piece.
    private func advance(_ count: Int, alreadyCounted: Bool = false) throws(LayerError) {
        filled += count
        if !alreadyCounted { size += Int64(count) }
        // A tar that fits into one buffer is one piece.
        guard filled == chunk.count || threads != nil else { return }
        let bytes = UnsafeRawBufferPointer(rebasing: chunk[..<filled])
        guard let end = PieceCutter.end(of: bytes, seen: &seen) ?? (filled == chunk.count ? filled : nil) else {
            return
        }
        if threads == nil { threads = try startThreads() }
        ring.publish(end)
        // Nobody but this producer writes to a buffer, so what is behind the cut can still be read there.
        let rest = UnsafeRawBufferPointer(rebasing: bytes[end...])
        chunk = try ring.nextFree()
        chunk.copyMemory(from: rest)
        (filled, seen) = (0, 0)
        if !rest.isEmpty { try advance(rest.count, alreadyCounted: true) }
    }

    /// Ends the tar and waits for its digest; the blob may be unfinished still.
    func finish() throws(LayerError) -> (diffID: DiffID, blob: PendingBlob) {
        guard let threads else { return try finishHere() }
        if filled > 0 { ring.publish(filled) }
        ring.finish()
        let digest = try threads.hasher.result()
        found = try threads.searcher?.result().found
        isFinished = true
        return (DiffID(digest), PendingBlob(running: threads.encoder, cancelling: ring))
    }

    private func finishHere() throws(LayerError) -> (diffID: DiffID, blob: PendingBlob) {
        let bytes = UnsafeRawBufferPointer(rebasing: chunk[..<filled])
        var hasher = Digest.Hasher()
        hasher.update(bytes)
        if let search {
            var stream = StreamSearch(search)
            stream.add(bytes)
            found = stream.found
        }
        let sink = BlobSink(blob)
        let encoder = try options.compression.makeEncoder()
        try encoder.encode(bytes, into: sink)
        try encoder.finish(into: sink)
        let done = EncodedBlob(digest: sink.digest(), size: sink.size)
        return (DiffID(hasher.finalize()), PendingBlob(done: done))
    }

    private func startThreads() throws(LayerError) -> Threads {
        let (ring, blob, options) = (ring, blob, options)
        let hasher = try WorkerThread<Result<Digest, LayerError>> {
            Result { () throws(LayerError) in try Self.hash(ring) }
        }
        do throws(LayerError) {
            let searcher = try search.map { (search) throws(LayerError) in
                try WorkerThread<Result<StreamSearch, LayerError>> {
                    Result { () throws(LayerError) in try Self.look(for: search, in: ring) }
                }
            }
            let encoder = try WorkerThread<Result<EncodedBlob, LayerError>> {
                do throws(LayerError) {
                    return .success(try Self.encode(ring, options, to: blob))
                } catch {
                    ring.fail(error)
                    return .failure(error)
                }
            }
            return Threads(hasher: hasher, searcher: searcher, encoder: encoder)
        } catch {
            ring.fail(error)
            throw error
        }
    }

    private static func hash(_ ring: ChunkRing) throws(LayerError) -> Digest {
        var hasher = Digest.Hasher()
        while let chunk = try ring.next(reader: hasherReader) { hasher.update(chunk) }
        return hasher.finalize()
    }

    private static func look(for search: PatternSearch, in ring: ChunkRing) throws(LayerError) -> StreamSearch {
        var stream = StreamSearch(search)
        while let chunk = try ring.next(reader: searchReader) { stream.add(chunk) }
        return stream
    }

    private static func encode(
        _ ring: ChunkRing,
        _ options: LayerOptions,
        to blob: FileDescriptor
    ) throws(LayerError) -> EncodedBlob {
        if options.compression == .gzip {
            return try ParallelGzip(ring, reader: encoderReader, blob: blob, earlier: options.earlier).run()
        }
        let sink = BlobSink(blob)
        let encoder = try options.compression.makeEncoder()
        while let chunk = try ring.next(reader: encoderReader) { try encoder.encode(chunk, into: sink) }
        try encoder.finish(into: sink)
        return EncodedBlob(digest: sink.digest(), size: sink.size)
    }
}

/// A blob's facts when it is written.
struct EncodedBlob: Sendable {
    let digest: Digest
    let size: Int64
    /// What a later blob may copy; `nil` where it was not made of pieces.
    var pieces: KeptPieces?
}

/// A blob that is written, or about to be.
final class PendingBlob: Sendable {
    private enum State: Sendable {
        case done(EncodedBlob)
        case running(WorkerThread<Result<EncodedBlob, LayerError>>, ChunkRing)
    }

    private let state: State

    init(done blob: EncodedBlob) {
        state = .done(blob)
    }

    init(running thread: WorkerThread<Result<EncodedBlob, LayerError>>, cancelling ring: ChunkRing) {
        state = .running(thread, ring)
    }

    func wait() throws(LayerError) -> EncodedBlob {
        switch state {
        case .done(let blob): return blob
        case .running(let thread, _): return try thread.result()
        }
    }

    deinit {
        // Nobody wants the blob any more, and its descriptor may be closed next. A thread that is done is past this.
        if case .running(_, let ring) = state { ring.fail(LayerError(.resources(what: "readers of this layer"))) }
    }
}

extension WorkerThread {
    /// Waits for the end of a thread whose result is a value or an error.
    func result<Success>() throws(LayerError) -> Success where Value == Result<Success, LayerError> {
        guard let result = join() else { throw LayerError(.resources(what: "threads")) }
        return try result.get()
    }
}
