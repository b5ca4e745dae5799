import Glibc
import SystemPackage

/// A file that is written from its start to its end, through a buffer out of which the last bytes can be taken back.
final class BlockOutput {
    private static let capacity = 1 << 20

    private let file: OwnedDescriptor
    private let buffer: UnsafeMutableRawBufferPointer
    private var used = 0
    private var flushed: Int64 = 0

    init(_ file: OwnedDescriptor) {
        self.file = file
        buffer = .allocate(byteCount: Self.capacity, alignment: 4096)
    }

    deinit {
        buffer.deallocate()
    }

    /// How long the file is so far.
    var position: Int64 { flushed + Int64(used) }

    /// Sees to it that the next `count` bytes, no more than a chunk, can be taken back together.
    func reserve(_ count: Int) throws(FileError) {
        if Self.capacity - used < count { try flush() }
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        var rest = bytes
        while !rest.isEmpty {
            if used == Self.capacity { try flush() }
            let count = min(rest.count, Self.capacity - used)
            UnsafeMutableRawBufferPointer(rebasing: buffer[used..<used + count])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: rest.prefix(count)))
            used += count
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
        }
    }

    func append(_ bytes: [UInt8]) throws(FileError) {
        try bytes.withBytes { (bytes) throws(FileError) in try append(bytes) }
    }

    func appendZeros(_ count: Int) throws(FileError) {
        var rest = count
        while rest > 0 {
            if used == Self.capacity { try flush() }
            let part = min(rest, Self.capacity - used)
            UnsafeMutableRawBufferPointer(rebasing: buffer[used..<used + part]).initializeMemory(
                as: UInt8.self,
                repeating: 0
            )
            used += part
            rest -= part
        }
    }

    /// Appends zeros up to the end of a block.
    func fillBlock() throws(FileError) {
        let over = Int(position % Int64(Erofs.blockSize))
        if over > 0 { try appendZeros(Erofs.blockSize - over) }
    }

    /// Takes the last `count` bytes back, which were reserved together, if they are all zeros: whether they were.
    func takeBackZeros(_ count: Int) -> Bool {
        guard used >= count else { return false }
        guard UnsafeRawBufferPointer(rebasing: buffer[(used - count)..<used]).isZero else { return false }
        used -= count
        return true
    }

    func flush() throws(FileError) {
        try write(UnsafeRawBufferPointer(rebasing: buffer[..<used]), at: flushed)
        flushed += Int64(used)
        used = 0
    }

    /// Writes over what was flushed before.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileError) {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = pwrite(file.raw, rest.baseAddress, rest.count, off_t(offset) + off_t(done))
            if count < 0 {
                if errno == EINTR { continue }
                throw FileError("write", file.path, negated: -Int(errno))
            }
            done += count
        }
    }
}

extension UnsafeMutableRawBufferPointer {
    /// `bytes` at the start of this.
    fileprivate func copyMemory(from bytes: UnsafeRawBufferPointer) {
        guard let from = bytes.baseAddress, let to = baseAddress else { return }
        memcpy(to, from, bytes.count)
    }
}
