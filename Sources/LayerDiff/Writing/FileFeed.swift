import CShims
import Glibc
import OCI

/// Brings a file's content into the tar, as many bytes as its header promised.
struct FileFeed {
    private let entry: LayerEntry
    private let size: Int64

    init(_ entry: LayerEntry, size: Int64) {
        self.entry = entry
        self.size = size
    }

    /// Adds the content to the tar, and to what `hasher` hashes, if there is one.
    func run(into pipeline: LayerPipeline, _ hasher: inout Digest.Hasher?) throws(LayerError) {
        switch entry.content {
        case .none: throw changed
        case .bytes(let bytes):
            guard bytes.count == size else { throw changed }
            hasher?.update(bytes)
            try bytes.withBytes { (bytes) throws(LayerError) in try pipeline.write(bytes) }
        case .file(let directory, let path, let version):
            let file = try wrapped { () throws(FileError) in try directory.openFile(path) }
            try feed(file, version, into: pipeline, &hasher)
        }
    }

    /// Reads all of a small file's content into `buffer`, which is as large as that.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(LayerError) {
        guard case .file(let directory, let path, let version) = entry.content else { throw changed }
        let file = try wrapped { () throws(FileError) in try directory.openFile(path) }
        let before = try wrapped { () throws(FileError) in try file.status() }
        guard before.kind == .file, before.size == size else { throw changed }
        var offset = 0
        while offset < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[offset...])
            let count = try wrapped { () throws(FileError) in try file.read(into: rest, at: Int64(offset)) }
            guard count > 0 else { throw changed }
            offset += count
        }
        try check(file, version, since: before)
    }

    private func feed(
        _ file: OwnedDescriptor,
        _ version: FileVersion?,
        into pipeline: LayerPipeline,
        _ hasher: inout Digest.Hasher?
    ) throws(LayerError) {
        let before = try wrapped { () throws(FileError) in try file.status() }
        guard before.kind == .file, before.size == size else { throw changed }
        if Int64(clamping: before.blocks) * 512 < size {
            try feedSparse(file, into: pipeline, &hasher)
        } else {
            try feed(file, 0..<size, into: pipeline, &hasher)
        }
        try check(file, version, since: before)
    }

    /// Refuses a file that is not what it was, or is to be.
    private func check(
        _ file: OwnedDescriptor,
        _ version: FileVersion?,
        since before: FileStatus
    ) throws(LayerError) {
        let after = try wrapped { () throws(FileError) in try file.status() }
        guard after.size == size, after.modified == before.modified else { throw changed }
        if let version, version != FileVersion(before) || version != FileVersion(after) { throw changed }
    }

    private func feed(
        _ file: OwnedDescriptor,
        _ range: Range<Int64>,
        into pipeline: LayerPipeline,
        _ hasher: inout Digest.Hasher?
    ) throws(LayerError) {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let count = try pipeline.write(atMost: range.upperBound - offset) { (space) throws(LayerError) in
                let count = try wrapped { () throws(FileError) in try file.read(into: space, at: offset) }
                hasher?.update(UnsafeRawBufferPointer(rebasing: space[..<count]))
                return count
            }
            guard count > 0 else { throw changed }
            offset += Int64(count)
        }
    }

    /// Asks the file system where the data is, and reads no holes.
    private func feedSparse(
        _ file: OwnedDescriptor,
        into pipeline: LayerPipeline,
        _ hasher: inout Digest.Hasher?
    ) throws(LayerError) {
        var offset: Int64 = 0
        while offset < size {
            var data = lseek(file.raw, off_t(offset), CInt(CSHIMS_SEEK_DATA))
            if data < 0 {
                // ENXIO: nothing but a hole from here on. Anything else: this file system knows no holes.
                data = errno == ENXIO ? Int(size) : Int(offset)
            }
            let start = min(Int64(data), size)
            try pipeline.writeZeros(start - offset)
            hasher?.update(zeros: start - offset)
            guard start < size else { return }
            let hole = lseek(file.raw, off_t(start), CInt(CSHIMS_SEEK_HOLE))
            let end = hole > start ? min(Int64(hole), size) : size
            try feed(file, start..<end, into: pipeline, &hasher)
            offset = end
        }
    }

    private var changed: LayerError {
        switch entry.content {
        case .none, .bytes: LayerError(.changedWhileRead(path: entry.entry.path.description))
        case .file(let directory, let path, _): LayerError(.changedWhileRead(path: directory.display(path)))
        }
    }

    private func wrapped<Value>(_ body: () throws(FileError) -> Value) throws(LayerError) -> Value {
        try LayerError.wrapping(body)
    }
}
