import Glibc
import LayerDiff
import OCI
import Synchronization

/// The digests of a context's files by what `stat` says of them, kept from build to build.
///
/// A digest is reused only where device, inode, size, both times to the nanosecond are as they were, and where the file
/// was last changed well before it was hashed: a change within the clock's grain would go unseen otherwise (git's
/// "racily clean" entries).
final class ContentHashes: Sendable {
    private struct Key: Hashable {
        var device: UInt64
        var inode: UInt64
        var size: Int64
        var modified: Timestamp
        var changed: Timestamp
    }

    private struct State {
        var known: [Key: Digest] = [:]
        var used: [Key: Digest] = [:]
        var isChanged = false
    }

    private let path: String
    private let state: Mutex<State>
    private static let header = Array("swbuild-hashes-1".utf8)
    private static let recordSize = 8 * 7 + 32

    /// Loads what was kept at `path`; anything unreadable is as good as nothing.
    init(path: String) {
        self.path = path
        var known: [Key: Digest] = [:]
        if let bytes = try? HostFile.read(path, limit: 1 << 30), bytes.starts(with: Self.header) {
            let body = bytes.dropFirst(Self.header.count)
            known.reserveCapacity(body.count / Self.recordSize)
            bytes.withUnsafeBytes { buffer in
                var offset = Self.header.count
                while offset + Self.recordSize <= buffer.count {
                    let (key, digest) = Self.decode(buffer, at: offset)
                    known[key] = digest
                    offset += Self.recordSize
                }
            }
        }
        state = Mutex(State(known: known))
    }

    func digest(of node: SourceNode, in directory: Directory) throws -> Digest {
        guard let status = node.status else { return try contentDigest(directory, node.entry.path) }
        let key = Key(
            device: status.device,
            inode: status.inode,
            size: status.size,
            modified: status.modified,
            changed: status.changed
        )
        let kept = state.withLock { state -> Digest? in
            guard let digest = state.known[key] else { return nil }
            state.used[key] = digest
            return digest
        }
        if let kept { return kept }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let digest = try contentDigest(directory, node.entry.path)
        let latest = max(status.modified.seconds, status.changed.seconds)
        if latest + 2 < now.tv_sec {
            state.withLock { state in
                state.used[key] = digest
                state.known[key] = digest
                state.isChanged = true
            }
        }
        return digest
    }

    /// Writes back what this build used, where it learnt something.
    ///
    /// A failure costs the next build time, no more.
    func save() {
        let bytes = state.withLock { state -> [UInt8]? in
            guard state.isChanged else { return nil }
            // What this build did not look at stays: another build file over the same context may need it.
            var result = Self.header
            result.reserveCapacity(state.known.count * Self.recordSize)
            let limit = 2_000_000
            for (key, digest) in state.used { Self.encode(key, digest, into: &result) }
            if state.known.count < limit {
                for (key, digest) in state.known where state.used[key] == nil {
                    Self.encode(key, digest, into: &result)
                }
            }
            return result
        }
        if let bytes { try? HostFile.write(bytes, to: path) }
    }

    private static func encode(_ key: Key, _ digest: Digest, into bytes: inout [UInt8]) {
        let words: [UInt64] = [
            key.device, key.inode, UInt64(bitPattern: key.size), UInt64(bitPattern: key.modified.seconds),
            UInt64(UInt32(bitPattern: key.modified.nanoseconds)), UInt64(bitPattern: key.changed.seconds),
            UInt64(UInt32(bitPattern: key.changed.nanoseconds)),
        ]
        for word in words { withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) } }
        var digits = digest.hex.utf8.makeIterator()
        while let high = digits.next(), let low = digits.next() { bytes.append(nibble(high) << 4 | nibble(low)) }
    }

    private static func nibble(_ digit: UInt8) -> UInt8 { digit < 0x3A ? digit - 0x30 : digit - 0x57 }

    private static func decode(_ buffer: UnsafeRawBufferPointer, at offset: Int) -> (Key, Digest) {
        func word(_ index: Int) -> UInt64 {
            UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: offset + index * 8, as: UInt64.self))
        }
        func time(_ index: Int) -> Timestamp {
            Timestamp(
                seconds: Int64(bitPattern: word(index)),
                nanoseconds: Int32(bitPattern: UInt32(truncatingIfNeeded: word(index + 1)))
            )
        }
        let key = Key(
            device: word(0),
            inode: word(1),
            size: Int64(bitPattern: word(2)),
            modified: time(3),
            changed: time(5)
        )
        return (key, Digest(sha256: buffer[(offset + 56)..<(offset + 88)]))
    }
}
