import CArchive
import Glibc

/// A file's bytes, decompressed by libarchive if they are compressed: with gzip, bzip2, xz or zstd, seen at the content.
final class ArchiveSource: TarSource {
    private let archive: OpaquePointer
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
        guard let archive = archive_read_new() else { throw LayerError(.resources(what: "memory for an archive")) }
        self.archive = archive
        input = Input(file)
        // Not all that libarchive knows: for some of it, it would look for programs to run.
        archive_read_support_filter_gzip(archive)
        archive_read_support_filter_bzip2(archive)
        archive_read_support_filter_xz(archive)
        archive_read_support_filter_zstd(archive)
        // As one member: what is in it is for the tar reader to see.
        archive_read_support_format_raw(archive)
        var entry: OpaquePointer?
        let client = Unmanaged.passUnretained(input).toOpaque()
        guard archive_read_open(archive, client, nil, Self.read, nil) == ARCHIVE_OK,
            archive_read_next_header(archive, &entry) == ARCHIVE_OK
        else {
            let failure = problem()
            throw failure
        }
    }

    deinit {
        archive_read_free(archive)
    }

    func next() throws(LayerError) -> UnsafeRawBufferPointer? {
        while true {
            var start: UnsafeRawPointer?
            var count = 0
            var offset: la_int64_t = 0
            let result = archive_read_data_block(archive, &start, &count, &offset)
            if result == ARCHIVE_EOF { return nil }
            guard result == ARCHIVE_OK || result == ARCHIVE_WARN else { throw problem() }
            if count > 0 { return UnsafeRawBufferPointer(start: start, count: count) }
        }
    }

    private func problem() -> LayerError {
        if let failure = input.failure { return LayerError(.file(failure)) }
        let message = archive_error_string(archive).map { String(cString: $0) } ?? "libarchive does not say why"
        return LayerError(.corrupt(why: "it cannot be decompressed (\(message))"))
    }

    private static let read:
        @convention(c) (
            OpaquePointer?, UnsafeMutableRawPointer?, UnsafeMutablePointer<UnsafeRawPointer?>?
        ) -> Int = { _, client, buffer in
            guard let client, let buffer else { return -1 }
            let input = Unmanaged<Input>.fromOpaque(client).takeUnretainedValue()
            do throws(FileError) {
                let count = try input.file.read(into: input.buffer, at: input.offset)
                input.offset += Int64(count)
                buffer.pointee = UnsafeRawPointer(input.buffer.baseAddress)
                return count
            } catch {
                input.failure = error
                return -1
            }
        }
}
