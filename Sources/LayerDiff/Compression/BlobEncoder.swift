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
