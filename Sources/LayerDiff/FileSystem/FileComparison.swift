import Glibc
import OCI
import SystemPackage

/// Comparisons of whole files.
enum FileComparison {
    static let blockSize = 128 << 10

    /// Whether both files have the same `size` bytes.
    static func haveSameBytes(
        _ left: OwnedDescriptor,
        _ right: OwnedDescriptor,
        size: Int64
    ) throws(FileError) -> Bool {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * blockSize, alignment: 4096)
        defer { memory.deallocate() }
        let leftBlock = UnsafeMutableRawBufferPointer(rebasing: memory[..<blockSize])
        let rightBlock = UnsafeMutableRawBufferPointer(rebasing: memory[blockSize...])
        var offset: Int64 = 0
        while offset < size {
            let leftCount = try left.fill(leftBlock, at: offset)
            let rightCount = try right.fill(rightBlock, at: offset)
            guard leftCount == rightCount, leftCount > 0 else { return false }
            let leftBytes = UnsafeRawBufferPointer(rebasing: leftBlock[..<leftCount])
            let rightBytes = UnsafeRawBufferPointer(rebasing: rightBlock[..<rightCount])
            guard compareBytes(leftBytes, rightBytes) == 0 else { return false }
            offset += Int64(leftCount)
        }
        return offset == size
    }
}

extension OwnedDescriptor {
    /// Reads at `offset` until `buffer` is full or the file ends: how many bytes there were.
    func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileError) -> Int {
        var filled = 0
        while filled < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let count = try read(into: rest, at: offset + Int64(filled))
            if count == 0 { break }
            filled += count
        }
        return filled
    }
}

/// The digest of the file at `path`, read piece by piece; no symlink is followed.
/// - Throws: ``FileError`` when it cannot be read.
public func contentDigest(_ directory: Directory, _ path: ContainerPath) throws(FileError) -> Digest {
    let file = try directory.openFile(path)
    let block = UnsafeMutableRawBufferPointer.allocate(byteCount: FileComparison.blockSize, alignment: 4096)
    defer { block.deallocate() }
    var hasher = Digest.Hasher()
    while true {
        let count = try file.read(into: block)
        if count == 0 { return hasher.finalize() }
        hasher.update(UnsafeRawBufferPointer(rebasing: block[..<count]))
    }
}
