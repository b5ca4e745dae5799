import CShims
import Glibc

/// A file's bytes, decompressed by libarchive if they are compressed: with gzip, bzip2, xz or zstd, seen at the content.
final class ArchiveSource: TarSource {
    private let decompressor: OpaquePointer
    private let input: Input

    /// What the read callback is given; keeps the error that libarchive has no room for.
    private final class Input {
        let file: OwnedDescriptor
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 4096)
        var offset: Int64 = 0
        var failure: FileError?

        init(_ file: OwnedDescriptor) {
            self.file = file
        }

        deinit {
            buffer.deallocate()
        }
    }

    init(_ file: OwnedDescriptor) throws(LayerError) {
        input = Input(file)
        var decompressor: OpaquePointer?
        let code = swb_archive_open(&decompressor, Unmanaged.passUnretained(input).toOpaque(), Self.read)
        guard let decompressor else {
            let isLibrary = code == CInt(SWB_ARCHIVE_NO_LIBRARY)
            throw LayerError(
                isLibrary
                    ? .missingLibrary(why: String(cString: swb_archive_failure()))
                    : .resources(what: "memory for an archive")
            )
        }
        self.decompressor = decompressor
        guard code == CInt(SWB_ARCHIVE_OK) else {
            let failure = problem()
            throw failure
        }
    }

    deinit {
        swb_archive_close(decompressor)
    }

    func next() throws(LayerError) -> UnsafeRawBufferPointer? {
        while true {
            var start: UnsafeRawPointer?
            var count = 0
            let code = swb_archive_next(decompressor, &start, &count)
            if code == CInt(SWB_ARCHIVE_END) { return nil }
            guard code == CInt(SWB_ARCHIVE_OK) else { throw problem() }
            if count > 0 { return UnsafeRawBufferPointer(start: start, count: count) }
        }
    }

    private func problem() -> LayerError {
        if let failure = input.failure { return LayerError(.file(failure)) }
        let message = swb_archive_problem(decompressor).map { String(cString: $0) } ?? "libarchive does not say why"
        return LayerError(.corrupt(why: "it cannot be decompressed (\(message))"))
    }

    private static let read: swb_archive_input = { context, bytes in
        let input = Unmanaged<Input>.fromOpaque(context).takeUnretainedValue()
        do throws(FileError) {
            let count = try input.file.read(into: input.buffer, at: input.offset)
            input.offset += Int64(count)
            bytes.pointee = UnsafeRawPointer(input.buffer.baseAddress)
            return count
        } catch {
            input.failure = error
            return -1
        }
    }
}
