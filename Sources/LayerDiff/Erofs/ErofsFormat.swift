/// Numbers of the EROFS format.
///
/// Source: the kernel's fs/erofs/erofs_fs.h and Documentation/filesystems/erofs.rst.
enum Erofs {
    /// The blocks that contents, directories and the metadata area are made of.
    static let blockSize = 4096
    /// Where the superblock is, in the first block.
    static let superblockOffset = 1024
    static let superblockSize = 128
    static let magic: UInt32 = 0xe0f5_e1e2
    /// Times are those of the last change of the content.
    static let compatibleMtime: UInt32 = 0x2
    /// Files may be made of chunks.
    static let incompatibleChunkedFile: UInt32 = 0x4

    /// An inode's number is its place in the metadata area, in pieces of this many bytes.
    static let slotSize = 32
    static let inodeSize = 64
    /// The first slot that an inode may have: number 0 means a deleted file to those who list directories.
    static let firstSlot = 2
    /// How far from the start of the metadata area the root may be: its number has 16 bits.
    static let rootSlotLimit = 1 << 16

    static let longestName = 255
    static let directoryEntrySize = 12

    /// Contents without long runs of zeros lie in one piece; others are in chunks, of which those of zeros are left out.
    static let chunkBlocks = 16
    static let chunkSize = chunkBlocks * blockSize
    /// The exponent of ``chunkBlocks``, as inodes of chunked files have it.
    static let chunkFormat: UInt32 = 4
    /// What stands for a chunk of zeros.
    static let noBlock: UInt32 = .max

    /// How an inode's data is laid out.
    enum DataLayout: UInt16 {
        /// In blocks, one after the other.
        case plain = 0
        /// In blocks, and what is over behind the inode.
        case inline = 2
        /// In chunks, whose places are listed behind the inode.
        case chunked = 4

        /// The inode's first field: bit 0 says that it is one of 64 bytes.
        var format: UInt16 { rawValue << 1 | 1 }
    }

    /// The kinds of files as directory entries have them.
    enum FileType: UInt8 {
        case file = 1
        case directory = 2
        case characterDevice = 3
        case blockDevice = 4
        case fifo = 5
        case symlink = 7
    }

    /// How many blocks hold so many bytes.
    static func blocks(_ bytes: Int64) -> Int64 {
        (bytes + Int64(blockSize) - 1) / Int64(blockSize)
    }

    /// A device's number as inodes have it: that of one which Linux can have, as ``LayerMember`` sees to it.
    static func device(major: UInt32, minor: UInt32) -> UInt32 {
        minor & 0xff | major << 8 | (minor & ~0xff) << 12
    }
}

extension [UInt8] {
    /// Appends a number, its lowest byte first.
    mutating func append<Number: FixedWidthInteger>(little number: Number) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }

    /// Appends zeros up to a length.
    mutating func fill(to length: Int) {
        if count < length { append(contentsOf: repeatElement(0, count: length - count)) }
    }
}
