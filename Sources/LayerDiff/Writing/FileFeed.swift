import CShims
import Glibc

/// Brings a file's content into the tar, as many bytes as its header promised.
struct FileFeed {
    private let entry: LayerEntry
    private let size: Int64

    init(_ entry: LayerEntry, size: Int64) {
        self.entry = entry
        self.size = size
    }

    func run(into pipeline: LayerPipeline) throws(LayerError) {
        switch entry.content {
        case .none: throw changed
        case .bytes(let bytes):
            guard bytes.count == size else { throw changed }
            try bytes.withBytes { (bytes) throws(LayerError) in try pipeline.write(bytes) }
        case .file(let directory, let path, let version):
            let file = try wrapped { () throws(FileError) in try directory.openFile(path) }
            try feed(file, version, into: pipeline)
        }
    }

    private func feed(
        _ file: OwnedDescriptor,
        _ version: FileVersion?,
        into pipeline: LayerPipeline
    ) throws(LayerError) {
        let before = try wrapped { () throws(FileError) in try file.status() }
        guard before.kind == .file, before.size == size else { throw changed }
        if Int64(clamping: before.blocks) * 512 < size {
            try feedSparse(file, into: pipeline)
        } else {
            try feed(file, 0..<size, into: pipeline)
        }
        let after = try wrapped { () throws(FileError) in try file.status() }
        guard after.size == size, after.modified == before.modified else { throw changed }
        if let version, version != FileVersion(before) || version != FileVersion(after) { throw changed }
    }

    private func feed(
        _ file: OwnedDescriptor,
        _ range: Range<Int64>,
        into pipeline: LayerPipeline
    ) throws(LayerError) {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let count = try pipeline.write(atMost: range.upperBound - offset) { (space) throws(LayerError) in
                try wrapped { () throws(FileError) in try file.read(into: space, at: offset) }
            }
            guard count > 0 else { throw changed }
            offset += Int64(count)
        }
    }

    /// Asks the file system where the data is, and reads no holes.
    private func feedSparse(_ file: OwnedDescriptor, into pipeline: LayerPipeline) throws(LayerError) {
        var offset: Int64 = 0
        while offset < size {
            var data = lseek(file.raw, off_t(offset), CInt(CSHIMS_SEEK_DATA))
            if data < 0 {
                // ENXIO: nothing but a hole from here on. Anything else: this file system knows no holes.
                data = errno == ENXIO ? Int(size) : Int(offset)
            }
            let start = min(Int64(data), size)
            try pipeline.writeZeros(start - offset)
            guard start < size else { return }
            let hole = lseek(file.raw, off_t(start), CInt(CSHIMS_SEEK_HOLE))
            let end = hole > start ? min(Int64(hole), size) : size
            try feed(file, start..<end, into: pipeline)
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
