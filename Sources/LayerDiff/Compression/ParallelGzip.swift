import Glibc
import OCI
import Synchronization
import SystemPackage

/// Compresses a ring's buffers on several threads into one gzip member.
///
/// Each buffer is a piece (see ``PieceCutter``), so the bytes are the same whatever the number of threads. Who has
/// compressed the piece that comes next writes it, and whatever else is ready behind it; a buffer goes back to the ring
/// when it is written, which bounds what is in flight.
final class ParallelGzip: Sendable {
    /// More would wait for the one that makes the tar.
    private static let mostThreads = 4
    /// Pieces from which on a second thread is worth its start.
    private static let alonePieces = 4

    private struct Piece: Sendable {
        let chunk: ChunkRing.Chunk
        let compressed: [UInt8]
        /// Of the content and of the compressed piece.
        let fingerprints: (content: Fingerprint, compressed: Fingerprint)?
    }

    private let ring: ChunkRing
    private let reader: Int
    /// The pieces of an earlier blob: what is in both is not compressed again.
    private let earlier: ReusablePieces?
    private let key: FingerprintKey
    /// Compressed, by number, and not written yet.
    private let ready = Mutex<[Int: Piece]>([:])
    private let writer: Mutex<Writer>

    private struct Writer: ~Copyable {
        let sink: BlobSink
        var member: GzipMember
        var written = 0
        var kept: KeptPieces

        init(_ blob: FileDescriptor, key: FingerprintKey) throws(LayerError) {
            sink = BlobSink(blob)
            member = try GzipMember(into: sink)
            kept = KeptPieces(key: key)
        }

        mutating func write(_ piece: Piece) throws(LayerError) {
            if let fingerprints = piece.fingerprints {
                let place = KeptPieces.Piece(
                    content: fingerprints.content,
                    compressed: fingerprints.compressed,
                    offset: sink.size,
                    size: piece.compressed.count
                )
                kept.pieces.append(place)
            }
            try member.append(piece.compressed, of: piece.chunk.bytes)
            written += 1
        }
    }

    init(_ ring: ChunkRing, reader: Int, blob: FileDescriptor, earlier: ReusablePieces?) throws(LayerError) {
        self.ring = ring
        self.reader = reader
        self.earlier = earlier
        key = earlier?.key ?? FingerprintKey()
        writer = Mutex(try Writer(blob, key: key))
    }

    /// Compresses all, on this thread and further ones.
    /// - Throws: ``LayerError`` from any of them; the ring has failed then.
    func run() throws(LayerError) -> EncodedBlob {
        var helpers: [WorkerThread<Result<Void, LayerError>>] = []
        do throws(LayerError) {
            try work { number throws(LayerError) in
                guard number == Self.alonePieces else { return }
                let count = min(Self.mostThreads, sysconf(Int32(_SC_NPROCESSORS_ONLN))) - 1
                for _ in 0..<max(0, count) { helpers.append(try self.startHelper()) }
            }
        } catch {
            // The helpers, joined as they go, must not wait for more.
            ring.fail(error)
            throw error
        }
        for helper in helpers { try helper.result() }
        return try writer.withLock { writer throws(LayerError) in
            try writer.member.finish()
            return EncodedBlob(digest: writer.sink.digest(), size: writer.sink.size, pieces: writer.kept)
        }
    }

    private func startHelper() throws(LayerError) -> WorkerThread<Result<Void, LayerError>> {
        try WorkerThread { [self] in
            do throws(LayerError) {
                return .success(try work { _ in })
            } catch {
                ring.fail(error)
                return .failure(error)
            }
        }
    }

    private func work(_ atPiece: (Int) throws(LayerError) -> Void) throws(LayerError) {
        let compressor = DeflateCompressor()
        while let chunk = try ring.take(reader: reader) {
            try atPiece(chunk.number)
            let piece = try piece(of: chunk, by: compressor)
            ready.withLock { $0[chunk.number] = piece }
            try writeReady()
        }
    }

    /// Takes the compressed piece from the earlier blob, or makes it.
    private func piece(of chunk: ChunkRing.Chunk, by compressor: DeflateCompressor) throws(LayerError) -> Piece {
        guard let content = key.fingerprint(of: chunk.bytes) else {
            return Piece(chunk: chunk, compressed: try compressor.compress(chunk.bytes), fingerprints: nil)
        }
        if let known = earlier?.compressed(content) {
            return Piece(chunk: chunk, compressed: known.bytes, fingerprints: (content, known.fingerprint))
        }
        let compressed = try compressor.compress(chunk.bytes)
        let fingerprint = compressed.withUnsafeBytes { key.fingerprint(of: $0) }
        return Piece(chunk: chunk, compressed: compressed, fingerprints: fingerprint.map { (content, $0) })
    }

    /// Writes what is next, unless another thread is at it: that one looks again after it has let go of the writer.
    private func writeReady() throws(LayerError) {
        var next = 0
        repeat {
            let written = try writer.withLockIfAvailable { writer throws(LayerError) -> Int in
                while let piece = ready.withLock({ $0.removeValue(forKey: writer.written) }) {
                    try writer.write(piece)
                    ring.giveBack(reader: reader, before: writer.written)
                }
                return writer.written
            }
            guard let written else { return }
            next = written
        } while ready.withLock { $0[next] != nil }
    }
}
