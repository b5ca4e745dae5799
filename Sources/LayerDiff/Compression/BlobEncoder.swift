import CISAL
import CZstd
import SystemPackage

/// Compresses a stream of bytes into a blob.
protocol BlobEncoder {
    /// Adds `input` to the stream.
    func encode(_ input: UnsafeRawBufferPointer, into sink: BlobSink) throws(LayerError)
    /// Ends the stream.
    func finish(into sink: BlobSink) throws(LayerError)
}

/// How much compressed output is collected before it is written.
private let outputSize = 256 << 10

extension LayerCompression {
    func makeEncoder() throws(LayerError) -> any BlobEncoder {
        switch self {
        case .gzip: GzipEncoder()
        case .zstd(let level): try ZstdEncoder(level: level)
        case .none: PlainEncoder()
        }
    }
}

/// Writes what it is given.
struct PlainEncoder: BlobEncoder {
    func encode(_ input: UnsafeRawBufferPointer, into sink: BlobSink) throws(LayerError) { try sink.write(input) }
    func finish(into sink: BlobSink) throws(LayerError) {}
}

/// gzip by ISA-L.
///
/// The header has no name and no time. The output is a function of the bytes, of where they are cut into pieces
/// (always at the same places here), of the library's version and of the processor's vector instructions.
///
/// Source: RFC 1952.
final class GzipEncoder: BlobEncoder {
    static let level: UInt32 = 1

    private let stream = UnsafeMutablePointer<isal_zstream>.allocate(capacity: 1)
    private let levelBuffer: UnsafeMutableBufferPointer<UInt8>
    private let output = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: outputSize)

    init() {
        // ISAL_DEF_LVL1_DEFAULT, a macro of macros: two hash tables' room, and tokens of 4 bytes.
        let size = 4 * 1024 + 2 * 8 * 1024 + 4 * 64 * 1024
        levelBuffer = .allocate(capacity: size)
        isal_deflate_init(stream)
        stream.pointee.level = Self.level
        stream.pointee.level_buf = levelBuffer.baseAddress
        stream.pointee.level_buf_size = UInt32(size)
        stream.pointee.gzip_flag = UInt16(IGZIP_GZIP)
        stream.pointee.flush = UInt16(NO_FLUSH)
    }

    deinit {
        stream.deallocate()
        levelBuffer.deallocate()
        output.deallocate()
    }

    func encode(_ input: UnsafeRawBufferPointer, into sink: BlobSink) throws(LayerError) {
        stream.pointee.next_in = UnsafeMutableRawPointer(mutating: input.baseAddress)?
            .assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_in = UInt32(input.count)
        repeat { try step(into: sink) } while stream.pointee.avail_in > 0 || stream.pointee.avail_out == 0
    }

    func finish(into sink: BlobSink) throws(LayerError) {
        stream.pointee.end_of_stream = 1
        stream.pointee.avail_in = 0
        repeat { try step(into: sink) } while stream.pointee.internal_state.state != ZSTATE_END
    }

    private func step(into sink: BlobSink) throws(LayerError) {
        stream.pointee.next_out = output.baseAddress
        stream.pointee.avail_out = UInt32(output.count)
        let result = isal_deflate(stream)
        guard result == COMP_OK else { throw LayerError(.corrupt(why: "the gzip encoder failed (code \(result))")) }
        let count = output.count - Int(stream.pointee.avail_out)
        if count > 0 { try sink.write(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(output)[..<count])) }
    }
}

/// zstd by libzstd, one frame with a checksum.
///
/// Source: RFC 8878.
final class ZstdEncoder: BlobEncoder {
    private let context: OpaquePointer
    private let output = UnsafeMutableRawBufferPointer.allocate(byteCount: outputSize, alignment: 64)

    init(level: Int) throws(LayerError) {
        guard let context = ZSTD_createCCtx() else { throw LayerError(.resources(what: "memory for the zstd encoder")) }
        self.context = context
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, CInt(clamping: level))
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
    }

    deinit {
        ZSTD_freeCCtx(context)
        output.deallocate()
    }

    func encode(_ input: UnsafeRawBufferPointer, into sink: BlobSink) throws(LayerError) {
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        while source.pos < source.size { _ = try step(&source, ZSTD_e_continue, into: sink) }
    }

    func finish(into sink: BlobSink) throws(LayerError) {
        var nothing = ZSTD_inBuffer(src: nil, size: 0, pos: 0)
        while try step(&nothing, ZSTD_e_end, into: sink) > 0 {}
    }

    private func step(
        _ source: inout ZSTD_inBuffer,
        _ directive: ZSTD_EndDirective,
        into sink: BlobSink
    ) throws(LayerError) -> Int {
        var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        let rest = ZSTD_compressStream2(context, &target, &source, directive)
        guard ZSTD_isError(rest) == 0 else {
            throw LayerError(.corrupt(why: "the zstd encoder failed: \(String(cString: ZSTD_getErrorName(rest)))"))
        }
        if target.pos > 0 { try sink.write(UnsafeRawBufferPointer(rebasing: output[..<target.pos])) }
        return rest
    }
}
