import OCI
import SystemPackage

/// What a blob turned out to be when all of it was read.
struct BlobFacts: Sendable {
    let diffID: DiffID
    let blob: EncodedBlob
    let compression: BlobCompression
    let uncompressedSize: Int64
}

/// A layer's blob, decompressed, both sides hashed.
///
/// A larger blob is read and decompressed on one thread and its tar hashed on another, while the caller makes use of
/// the bytes.
final class BlobSource: TarSource {
    /// Below this many bytes of blob, threads cost more than they bring.
    private static let smallBlob: Int64 = 64 << 10
    private static let chunks = 32
    private static let hasherReader = 0
    private static let callerReader = 1

    private enum Mode {
        case here(HereSource)
        case threads(ThreadedSource)
    }

    private struct ThreadedSource {
        let ring: ChunkRing
        let decoder: WorkerThread<Result<(EncodedBlob, BlobCompression, Int64), LayerError>>
        let hasher: WorkerThread<Result<Digest, LayerError>>
    }

    private let mode: Mode

    convenience init(_ blob: FileDescriptor, limits: LayerLimits) throws(LayerError) {
        try self.init(.complete(blob), limits: limits)
    }

    init(_ blob: BlobFile, limits: LayerLimits) throws(LayerError) {
        if try blob.size() < Self.smallBlob {
            mode = .here(try HereSource(blob, limits: limits))
        } else {
            mode = .threads(try Self.start(blob, limits))
        }
    }

    deinit {
        if case .threads(let source) = mode {
            // Lets threads end that are still at it; they are joined as they go.
            source.ring.fail(LayerError(.resources(what: "readers of this layer")))
        }
    }

    func next() throws(LayerError) -> UnsafeRawBufferPointer? {
        switch mode {
        case .here(let source): try source.next()
        case .threads(let source): try source.ring.next(reader: Self.callerReader)
        }
    }

    /// Reads what is left (an archive ends before its tar does) and says what the blob is.
    func finish() throws(LayerError) -> BlobFacts {
        while try next() != nil {}
        switch mode {
        case .here(let source): return source.facts()
        case .threads(let source):
            let (blob, compression, size) = try source.decoder.result()
            let digest = try source.hasher.result()
            return BlobFacts(diffID: DiffID(digest), blob: blob, compression: compression, uncompressedSize: size)
        }
    }

    private static func start(_ blob: BlobFile, _ limits: LayerLimits) throws(LayerError) -> ThreadedSource {
        let ring = ChunkRing(chunks: chunks, readers: 2)
        let decoder = try WorkerThread<Result<(EncodedBlob, BlobCompression, Int64), LayerError>> {
            do throws(LayerError) {
                return .success(try decode(blob, limits, into: ring))
            } catch {
                ring.fail(error)
                return .failure(error)
            }
        }
        do throws(LayerError) {
            let hasher = try WorkerThread<Result<Digest, LayerError>> {
                Result { () throws(LayerError) in
                    var hasher = Digest.Hasher()
                    while let chunk = try ring.next(reader: hasherReader) { hasher.update(chunk) }
                    return hasher.finalize()
                }
            }
            return ThreadedSource(ring: ring, decoder: decoder, hasher: hasher)
        } catch {
            ring.fail(error)
            throw error
        }
    }

    private static func decode(
        _ blob: BlobFile,
        _ limits: LayerLimits,
        into ring: ChunkRing
    ) throws(LayerError) -> (EncodedBlob, BlobCompression, Int64) {
        let decoder = try BlobDecoder(blob)
        var size: Int64 = 0
        while true {
            let chunk = try ring.nextFree()
            let count = try decoder.decode(into: chunk)
            if count == 0 { break }
            size += Int64(count)
            try limits.check(bytes: size)
            ring.publish(count)
        }
        ring.finish()
        return (decoder.blob(), decoder.compression, size)
    }
}

/// The same on the caller's own thread.
private final class HereSource {
    private let decoder: BlobDecoder
    private let limits: LayerLimits
    private let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: ChunkRing.chunkSize, alignment: 4096)
    private var hasher = Digest.Hasher()
    private var size: Int64 = 0

    init(_ blob: BlobFile, limits: LayerLimits) throws(LayerError) {
        decoder = try BlobDecoder(blob)
        self.limits = limits
    }

    deinit {
        chunk.deallocate()
    }

    func next() throws(LayerError) -> UnsafeRawBufferPointer? {
        let count = try decoder.decode(into: chunk)
        guard count > 0 else { return nil }
        size += Int64(count)
        try limits.check(bytes: size)
        let bytes = UnsafeRawBufferPointer(rebasing: chunk[..<count])
        hasher.update(bytes)
        return bytes
    }

    func facts() -> BlobFacts {
        let copy = hasher
        return BlobFacts(
            diffID: DiffID(copy.finalize()),
            blob: decoder.blob(),
            compression: decoder.compression,
            uncompressedSize: size
        )
    }
}

extension LayerLimits {
    func check(bytes: Int64) throws(LayerError) {
        if bytes > maxBytes { throw LayerError(.limit(what: "bytes", allowed: maxBytes)) }
    }

    func check(entries: Int) throws(LayerError) {
        if entries > maxEntries { throw LayerError(.limit(what: "entries", allowed: Int64(maxEntries))) }
    }
}
