import CISAL
import CZstd
import OCI

/// Where compressed bytes come from: a blob's file, read from its start, hashed on the way.
final class BlobInput {
    private let file: BlobFile
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 4096)
    private var hasher = Digest.Hasher()
    private(set) var size: Int64 = 0
    /// What was read and not used yet.
    var pending: UnsafeRawBufferPointer

    init(_ blob: BlobFile) {
        file = blob
        pending = UnsafeRawBufferPointer(rebasing: buffer[..<0])
    }

    deinit {
        buffer.deallocate()
    }

    /// Makes sure that something is pending: whether there is.
    func fill() throws(LayerError) -> Bool {
        if !pending.isEmpty { return true }
        let count = try file.read(into: buffer, at: size)
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
        hasher.update(bytes)
        size += Int64(count)
        pending = bytes
        return count > 0
    }

    func consume(_ count: Int) {
        pending = UnsafeRawBufferPointer(rebasing: pending.dropFirst(count))
    }

    /// The digest of all that was read.
    func digest() -> Digest {
        let copy = hasher
        return copy.finalize()
    }
}

/// Decompresses a blob: what it is compressed with is seen at its first bytes.
final class BlobDecoder {
    /// What the blob is compressed with.
    let compression: BlobCompression
    private let input: BlobInput
    private let codec: any Decoder

    init(_ blob: BlobFile) throws(LayerError) {
        input = BlobInput(blob)
        guard try input.fill() else { throw LayerError(.truncated) }
        compression = Self.compression(startingWith: input.pending)
        switch compression {
        case .none: codec = PlainDecoder()
        case .gzip: codec = GzipDecoder()
        case .zstd: codec = try ZstdDecoder()
        }
    }

    /// Fills as much of `output` as there is left: how many bytes, 0 at the end.
    func decode(into output: UnsafeMutableRawBufferPointer) throws(LayerError) -> Int {
        var filled = 0
        while filled < output.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: output[filled...])
            let count = try codec.decode(input, into: rest)
            if count == 0 { break }
            filled += count
        }
        return filled
    }

    /// The digest of the compressed bytes, and how many they are, once all is decoded.
    func blob() -> EncodedBlob {
        EncodedBlob(digest: input.digest(), size: input.size)
    }

    /// Source: RFC 1952, section 2.3.1; RFC 8878, sections 3.1.1 and 3.1.2.
    static func compression(startingWith bytes: UnsafeRawBufferPointer) -> BlobCompression {
        if bytes.starts(with: [0x1f, 0x8b]) { return .gzip }
        if bytes.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) { return .zstd }
        // A skippable frame, as seekable zstd begins with.
        if bytes.count >= 4, (0x50...0x5f).contains(bytes[0]), bytes[1...3].elementsEqual([0x2a, 0x4d, 0x18]) {
            return .zstd
        }
        return .none
    }
}

/// One way of compression, backwards.
private protocol Decoder {
    /// Puts some bytes into `output`: how many, 0 at the end.
    func decode(_ input: BlobInput, into output: UnsafeMutableRawBufferPointer) throws(LayerError) -> Int
}

private struct PlainDecoder: Decoder {
    func decode(_ input: BlobInput, into output: UnsafeMutableRawBufferPointer) throws(LayerError) -> Int {
        guard try input.fill() else { return 0 }
        let count = min(output.count, input.pending.count)
        output.copyMemory(from: UnsafeRawBufferPointer(rebasing: input.pending.prefix(count)))
        input.consume(count)
        return count
    }
}

/// gzip by ISA-L; several members one after another are one stream (RFC 1952, section 2.2).
private final class GzipDecoder: Decoder {
    private let state = UnsafeMutablePointer<inflate_state>.allocate(capacity: 1)
    /// Between two members, or before the first one.
    private var isBetweenMembers = true
    private var isPadding = false

    init() {
        isal_inflate_init(state)
    }

    deinit {
        state.deallocate()
    }

    func decode(_ input: BlobInput, into output: UnsafeMutableRawBufferPointer) throws(LayerError) -> Int {
        while true {
            guard try input.fill() else {
                if isBetweenMembers { return 0 }
                throw LayerError(.truncated)
            }
            if isBetweenMembers, try skipPadding(input) { continue }
            let count = try step(input, into: output)
            if count > 0 { return count }
        }
    }

    /// Some writers fill a blob up with zeros behind the last member: whether there were some.
    private func skipPadding(_ input: BlobInput) throws(LayerError) -> Bool {
        guard input.size > Int64(input.pending.count), input.pending.first == 0 || isPadding else {
            isal_inflate_reset(state)
            state.pointee.crc_flag = UInt32(ISAL_GZIP)
            isBetweenMembers = false
            return false
        }
        guard input.pending.allSatisfy({ $0 == 0 }) else {
            throw LayerError(.corrupt(why: "there is something behind the end of its gzip data"))
        }
        isPadding = true
        input.consume(input.pending.count)
        return true
    }

    private func step(_ input: BlobInput, into output: UnsafeMutableRawBufferPointer) throws(LayerError) -> Int {
        let before = input.pending.count
        state.pointee.next_in = UnsafeMutableRawPointer(mutating: input.pending.baseAddress)?
            .assumingMemoryBound(to: UInt8.self)
        state.pointee.avail_in = UInt32(before)
        state.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        state.pointee.avail_out = UInt32(output.count)
        let result = isal_inflate(state)
        switch result {
        case ISAL_DECOMP_OK, ISAL_END_INPUT, ISAL_OUT_OVERFLOW: break
        case ISAL_INCORRECT_CHECKSUM: throw LayerError(.corrupt(why: "its gzip checksum does not fit its bytes"))
        default: throw LayerError(.corrupt(why: "its gzip data cannot be decompressed (code \(result))"))
        }
        input.consume(before - Int(state.pointee.avail_in))
        if state.pointee.block_state == ISAL_BLOCK_FINISH { isBetweenMembers = true }
        return output.count - Int(state.pointee.avail_out)
    }
}

/// zstd by libzstd, any number of frames.
private final class ZstdDecoder: Decoder {
    private let context: OpaquePointer
    /// Whether a frame is begun and not ended.
    private var isInFrame = false

    init() throws(LayerError) {
        guard let context = ZSTD_createDCtx() else { throw LayerError(.resources(what: "memory for the zstd decoder")) }
        self.context = context
    }

    deinit {
        ZSTD_freeDCtx(context)
    }

    func decode(_ input: BlobInput, into output: UnsafeMutableRawBufferPointer) throws(LayerError) -> Int {
        while true {
            let hasInput = try input.fill()
            if !hasInput && !isInFrame { return 0 }
            var source = ZSTD_inBuffer(src: input.pending.baseAddress, size: input.pending.count, pos: 0)
            var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
            let rest = ZSTD_decompressStream(context, &target, &source)
            guard ZSTD_isError(rest) == 0 else {
                let why = "its zstd data cannot be decompressed: \(String(cString: ZSTD_getErrorName(rest)))"
                throw LayerError(.corrupt(why: why))
            }
            input.consume(source.pos)
            isInFrame = rest != 0
            if target.pos > 0 { return target.pos }
            // Nothing left to read and nothing left to give, in the middle of a frame.
            if !hasInput { throw LayerError(.truncated) }
        }
    }
}
