import OCI

/// Reads small files on a thread of its own, a little ahead of where the tar is.
///
/// To open, read and close a small file takes longer than its bytes do anywhere else in a layer. The files are dealt with
/// in batches: whoever comes to a batch first, this thread or the one that makes the tar, reads it.
///
/// Unchecked because the compiler cannot see that `states`, `position` and `isOver` are touched under the monitor alone.
final class ReadAhead: @unchecked Sendable {
    /// A larger file goes into the tar piece by piece.
    static let largestFile: Int64 = 128 << 10
    /// Fewer files are read before a thread has started.
    private static let fewestFiles = 200
    private static let mostFiles = 32
    private static let mostBytes: Int64 = 1 << 20
    /// How many batches may be read before they are asked for.
    private static let mostAhead = 8

    /// What was read of a batch.
    private struct Contents: Sendable {
        let first: Int
        var bytes: [UInt8] = []
        var places: [Range<Int>?] = []
        var digests: [Digest?] = []

        /// The content of the entry with this number; `nil` where it was not read.
        func content(of entry: Int) -> ReadContent? {
            guard places.indices.contains(entry - first), let place = places[entry - first] else { return nil }
            return ReadContent(bytes: bytes, place: place, digest: digests[entry - first])
        }
    }

    private enum State {
        case untouched
        case taken
        case beingRead
        case read(Contents)
    }

    private let entries: LayerEntries
    private let batches: [Range<Int>]
    private let hashes: Bool
    private let monitor = Monitor()
    private var states: [State]
    private var position = 0
    private var isOver = false
    private var isOfNoUse = false
    /// What the writer is at.
    private var current = 0
    private var contents: Contents?

    /// `nil` where there are too few small files for it.
    init?(_ entries: LayerEntries, hashing: Bool) {
        batches = Self.batches(of: entries)
        guard batches.count > Self.fewestFiles / Self.mostFiles else { return nil }
        self.entries = entries
        hashes = hashing
        states = Array(repeating: .untouched, count: batches.count)
    }

    /// The size of an entry that is a small file.
    private static func smallFileSize(_ number: Int, of entries: LayerEntries) -> Int64? {
        guard let size = entries.fileSize(number), size <= largestFile else { return nil }
        return size
    }

    private static func batches(of entries: LayerEntries) -> [Range<Int>] {
        var result: [Range<Int>] = []
        var (start, files, bytes) = (0, 0, Int64(0))
        for number in entries.indices {
            guard let size = smallFileSize(number, of: entries) else { continue }
            if files == mostFiles || bytes + size > mostBytes {
                result.append(start..<number)
                (start, files, bytes) = (number, 0, 0)
            }
            files += 1
            bytes += size
        }
        if files > 0 { result.append(start..<entries.count) }
        return result
    }

    // MARK: The thread that makes the tar

    /// The content of an entry, if it was read; entries are asked for in their order.
    ///
    /// Where what comes after the tar `isBehind`, reading ahead would only take processors away from it.
    func content(of entry: Int, isBehind: @autoclosure () -> Bool = false) -> ReadContent? {
        while current < batches.count, batches[current].upperBound <= entry { current += 1 }
        guard current < batches.count, batches[current].contains(entry) else { return nil }
        if batches[current].lowerBound == entry { contents = take(current, isBehind: isBehind()) }
        return contents?.content(of: entry)
    }

    private func take(_ batch: Int, isBehind: Bool) -> Contents? {
        monitor.lock()
        defer { monitor.unlock() }
        position = batch
        isOfNoUse = isBehind
        monitor.broadcast()
        while true {
            switch states[batch] {
            case .untouched:
                states[batch] = .taken
                return nil
            case .beingRead: monitor.wait()
            case .taken: return nil
            case .read(let contents):
                states[batch] = .taken
                return contents
            }
        }
    }

    /// Nobody asks any more.
    func end() {
        monitor.lock()
        isOver = true
        monitor.broadcast()
        monitor.unlock()
    }

    // MARK: The thread that reads

    /// Reads until all is read or ``end()`` was called.
    func run() {
        while let batch = nextBatch() {
            let contents = read(batches[batch])
            monitor.lock()
            states[batch] = .read(contents)
            monitor.broadcast()
            monitor.unlock()
        }
    }

    private func nextBatch() -> Int? {
        monitor.lock()
        defer { monitor.unlock() }
        while !isOver {
            // Not the one that the writer is about to begin: it would have to wait for it.
            let reach = min(position + Self.mostAhead, batches.count - 1)
            if position < reach, !isOfNoUse {
                for batch in (position + 1)...reach {
                    guard case .untouched = states[batch] else { continue }
                    states[batch] = .beingRead
                    return batch
                }
            }
            if reach == batches.count - 1 { return nil }
            monitor.wait()
        }
        return nil
    }

    private func read(_ range: Range<Int>) -> Contents {
        var contents = Contents(first: range.lowerBound)
        contents.bytes = [UInt8](unsafeUninitializedCapacity: Int(Self.mostBytes)) { buffer, count in
            for number in range {
                guard let size = Self.smallFileSize(number, of: entries), count + Int(size) <= buffer.count else {
                    contents.places.append(nil)
                    contents.digests.append(nil)
                    continue
                }
                let place = count..<(count + Int(size))
                let space = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[place])
                // The writer comes to it again, and says what is wrong with it.
                let isRead = (try? FileFeed(entries[number], size: size).read(into: space)) != nil
                contents.places.append(isRead ? place : nil)
                contents.digests.append(isRead && hashes ? Self.digest(of: UnsafeRawBufferPointer(space)) : nil)
                if isRead { count = place.upperBound }
            }
        }
        return contents
    }

    private static func digest(of bytes: UnsafeRawBufferPointer) -> Digest {
        var hasher = Digest.Hasher()
        hasher.update(bytes)
        return hasher.finalize()
    }
}

/// A file's content that is in memory already, among others.
struct ReadContent {
    let bytes: [UInt8]
    let place: Range<Int>
    /// Where it was wanted.
    let digest: Digest?
}
