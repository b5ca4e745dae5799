import Glibc
import Synchronization
import SystemPackage

/// Compresses a ring's buffers on several threads into one gzip member.
///
/// Each buffer is a piece, so the bytes are the same whatever the number of threads. Who has compressed the piece that
/// comes next writes it, and whatever else is ready behind it; a buffer goes back to the ring when it is written, which
/// bounds what is in flight.
final class ParallelGzip: Sendable {
    /// More would wait for the one that makes the tar.
    private static let mostThreads = 4
    /// Pieces from which on a second thread is worth its start.
    private static let alonePieces = 4

    private struct Piece: Sendable {
        let chunk: ChunkRing.Chunk
        let compressed: [UInt8]
    }

    private let ring: ChunkRing
    private let reader: Int
    /// Compressed, by number, and not written yet.
    private let ready = Mutex<[Int: Piece]>([:])
    private let writer: Mutex<Writer>

    private struct Writer: ~Copyable {
        let sink: BlobSink
        var member: GzipMember
        var written = 0

        init(_ blob: FileDescriptor) throws(LayerError) {
            sink = BlobSink(blob)
            member = try GzipMember(into: sink)
        }
    }

    init(_ ring: ChunkRing, reader: Int, blob: FileDescriptor) throws(LayerError) {
        self.ring = ring
        self.reader = reader
        writer = Mutex(try Writer(blob))
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
            return EncodedBlob(digest: writer.sink.digest(), size: writer.sink.size)
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
            let piece = Piece(chunk: chunk, compressed: try compressor.compress(chunk.bytes))
            ready.withLock { $0[chunk.number] = piece }
            try writeReady()
        }
    }

    /// Writes what is next, unless another thread is at it: that one looks again after it has let go of the writer.
    private func writeReady() throws(LayerError) {
        var next = 0
        repeat {
            let written = try writer.withLockIfAvailable { writer throws(LayerError) -> Int in
                while let piece = ready.withLock({ $0.removeValue(forKey: writer.written) }) {
                    try writer.member.append(piece.compressed, of: piece.chunk.bytes)
                    writer.written += 1
                    ring.giveBack(reader: reader, before: writer.written)
                }
                return writer.written
            }
            guard let written else { return }
            next = written
        } while ready.withLock { $0[next] != nil }
    }
}
