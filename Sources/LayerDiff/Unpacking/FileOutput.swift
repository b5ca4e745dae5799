import Glibc
import SystemPackage

/// A file that is being written, with holes where there would be long runs of zeros.
final class FileOutput {
    private static let holeSize = 64 << 10
    private let file: OwnedDescriptor
    /// Where the file ends so far.
    private var end: Int64 = 0

    init(_ file: OwnedDescriptor) {
        self.file = file
    }

    var raw: CInt { file.raw }

    /// Writes `bytes` at `offset`; where 64 KiB of zeros would stand, nothing is written.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileError) {
        var start = 0
        var position = 0
        while position < bytes.count {
            let end = min(position + Self.holeSize, bytes.count)
            if end - position == Self.holeSize, UnsafeRawBufferPointer(rebasing: bytes[position..<end]).isZero {
                try writeAll(bytes[start..<position], at: offset + Int64(start))
                start = end
            }
            position = end
        }
        try writeAll(bytes[start...], at: offset + Int64(start))
    }

    /// Makes the file `size` bytes long, if what was written ends before: what is not written is zeros.
    func extend(to size: Int64) throws(FileError) {
        guard end < size else { return }
        guard ftruncate(file.raw, off_t(size)) == 0 else {
            throw FileError("set the size of", file.path, negated: -Int(errno))
        }
    }

    /// Writes what `source` holds.
    func copy(_ source: OwnedDescriptor, size: Int64) throws(FileError) {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: FileComparison.blockSize, alignment: 4096)
        defer { block.deallocate() }
        var offset: Int64 = 0
        while true {
            let count = try source.fill(block, at: offset)
            if count == 0 { break }
            try write(UnsafeRawBufferPointer(rebasing: block[..<count]), at: offset)
            offset += Int64(count)
        }
        try extend(to: size)
    }

    private func writeAll(_ bytes: Slice<UnsafeRawBufferPointer>, at offset: Int64) throws(FileError) {
        var rest = bytes
        var position = offset
        while !rest.isEmpty {
            let count = pwrite(
                file.raw,
                UnsafeRawBufferPointer(rebasing: rest).baseAddress,
                rest.count,
                off_t(position)
            )
            if count < 0 {
                if errno == EINTR { continue }
                throw FileError("write", file.path, negated: -Int(errno))
            }
            rest = rest.dropFirst(count)
            position += Int64(count)
            end = max(end, position)
        }
    }
}
