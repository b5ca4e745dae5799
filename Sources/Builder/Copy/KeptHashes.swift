import Glibc
import LayerDiff
import OCI

/// What `stat` says of a file, as far as it tells one content from another.
struct FileKey: Hashable {
    var device: UInt64
    var inode: UInt64
    var size: Int64
    var modified: Timestamp
    var changed: Timestamp

    /// The key as it is kept; the inode comes first, because records are found by it.
    fileprivate var words: [UInt64] {
        [
            inode, device, UInt64(bitPattern: size), UInt64(bitPattern: modified.seconds),
            UInt64(UInt32(bitPattern: modified.nanoseconds)), UInt64(bitPattern: changed.seconds),
            UInt64(UInt32(bitPattern: changed.nanoseconds)),
        ]
    }
}

extension FileKey {
    init(_ status: FileStatus) {
        self.init(
            device: status.device,
            inode: status.inode,
            size: status.size,
            modified: status.modified,
            changed: status.changed
        )
    }

    /// The same for who reads the file again.
    var version: FileVersion { FileVersion(inode: inode, size: size, modified: modified, changed: changed) }
}

/// Digests as they are kept in a file: records in the order of their inodes, looked up in the bytes as they were read.
///
/// Nothing is made of a record before somebody asks for it: a build that changes one file of twenty thousand must not
/// pay for a table of all of them.
struct KeptHashes: Sendable {
    private static let header = Array("swbuild-hashes-2".utf8)
    private static let keyWords = 7
    private static let recordSize = keyWords * 8 + Digest.size
    /// More than these are not kept, unless the last build looked at them.
    private static let limit = 2_000_000

    private let bytes: [UInt8]
    /// How many records there are.
    let count: Int

    /// The records of a file's `bytes`; anything else is as good as none.
    init(_ bytes: [UInt8]) {
        let isUsable = bytes.starts(with: Self.header)
        self.bytes = isUsable ? bytes : []
        count = isUsable ? (bytes.count - Self.header.count) / Self.recordSize : 0
    }

    /// The number of the record for exactly this key.
    func position(of key: FileKey) -> Int? {
        bytes.withUnsafeBytes { buffer in
            var low = 0
            var high = count
            while low < high {
                let middle = low + (high - low) / 2
                if Self.word(0, of: middle, in: buffer) < key.inode { low = middle + 1 } else { high = middle }
            }
            while low < count, Self.word(0, of: low, in: buffer) == key.inode {
                if Self.isKey(key, of: low, in: buffer) { return low }
                low += 1
            }
            return nil
        }
    }

    /// The digest of a record.
    func digest(at position: Int) -> Digest {
        bytes.withUnsafeBytes { buffer in
            let start = Self.offset(of: position) + Self.keyWords * 8
            return Digest(sha256: UnsafeRawBufferPointer(rebasing: buffer[start..<(start + Digest.size)]))
        }
    }

    /// A file's bytes: these records and the new ones, which take the place of what was known of the same files.
    func encoded(adding new: [FileKey: Digest], used: [Bool]) -> [UInt8] {
        let added = new.sorted { $0.key.words.lexicographicallyPrecedes($1.key.words) }
        let isFull = count + added.count > Self.limit
        let renewed = Set(new.keys.map { File(device: $0.device, inode: $0.inode) })
        var result = Self.header
        result.reserveCapacity(result.count + (count + added.count) * Self.recordSize)
        var next = 0
        bytes.withUnsafeBytes { buffer in
            for position in 0..<count {
                let inode = Self.word(0, of: position, in: buffer)
                while next < added.count, added[next].key.inode <= inode {
                    Self.append(added[next].key, added[next].value, to: &result)
                    next += 1
                }
                let file = File(device: Self.word(1, of: position, in: buffer), inode: inode)
                if renewed.contains(file) || isFull && !used[position] { continue }
                let start = Self.offset(of: position)
                result.append(contentsOf: buffer[start..<(start + Self.recordSize)])
            }
        }
        for (key, digest) in added[next...] { Self.append(key, digest, to: &result) }
        return result
    }

    private struct File: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    private static func offset(of position: Int) -> Int { header.count + position * recordSize }

    private static func word(_ index: Int, of position: Int, in buffer: UnsafeRawBufferPointer) -> UInt64 {
        UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: offset(of: position) + index * 8, as: UInt64.self))
    }

    private static func isKey(_ key: FileKey, of position: Int, in buffer: UnsafeRawBufferPointer) -> Bool {
        word(1, of: position, in: buffer) == key.device
            && word(2, of: position, in: buffer) == UInt64(bitPattern: key.size)
            && word(3, of: position, in: buffer) == UInt64(bitPattern: key.modified.seconds)
            && word(4, of: position, in: buffer) == UInt64(UInt32(bitPattern: key.modified.nanoseconds))
            && word(5, of: position, in: buffer) == UInt64(bitPattern: key.changed.seconds)
            && word(6, of: position, in: buffer) == UInt64(UInt32(bitPattern: key.changed.nanoseconds))
    }

    private static func append(_ key: FileKey, _ digest: Digest, to bytes: inout [UInt8]) {
        for word in key.words { withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) } }
        digest.withBytes { bytes.append(contentsOf: $0) }
    }
}
