/// Looks for many byte patterns at once.
///
/// Wu and Manber's method: a window as long as the shortest pattern moves over the bytes, and its last two bytes say how
/// far it may move at least. Most bytes are never looked at, and the tables do not grow with the patterns.
///
/// Source: S. Wu, U. Manber, "A fast algorithm for multi-pattern searching", TR-94-17, University of Arizona, 1994.
public final class PatternSearch: Sendable {
    /// Patterns with fewer bytes would be found where nobody put them.
    public static let shortestPattern = 8
    /// Of longer patterns, this many bytes are looked for: as much is kept of a stream between its pieces.
    public static let longestPattern = 4096

    /// Where a pattern begins.
    struct Hit: Sendable, Hashable {
        var pattern: Int
        var offset: Int
    }

    /// The patterns, cut where they are too long.
    let patterns: [[UInt8]]
    /// The length of the longest one.
    let longest: Int
    private let window: Int
    /// By the two bytes at the window's end: how far it may move; 0 where a pattern may be at the window.
    private let shifts: [UInt8]
    /// Where the patterns of each such pair begin in ``candidates``; there is one more at the end.
    private let starts: [UInt32]
    private let candidates: [UInt32]

    private static let pairs = 1 << 16
    private static let longestWindow = 32

    /// A search for `patterns`, of which those shorter than ``shortestPattern`` are left out; `nil` where none is left.
    ///
    /// Patterns keep their numbers.
    public init?(_ patterns: [[UInt8]]) {
        self.patterns = patterns.map { Array($0.prefix(Self.longestPattern)) }
        let used = self.patterns.indices.filter { patterns[$0].count >= Self.shortestPattern }
        let lengths = used.map { [patterns = self.patterns] in patterns[$0].count }
        guard let shortest = lengths.min(), let longest = lengths.max() else { return nil }
        self.longest = longest
        window = min(shortest, Self.longestWindow)
        var shifts = [UInt8](repeating: UInt8(window - 1), count: Self.pairs)
        var counts = [UInt32](repeating: 0, count: Self.pairs + 1)
        for index in used {
            let pattern = self.patterns[index]
            for end in 1..<window {
                let pair = Self.pair(pattern[end - 1], pattern[end])
                shifts[pair] = min(shifts[pair], UInt8(window - 1 - end))
            }
            counts[Self.pair(pattern[window - 2], pattern[window - 1]) + 1] += 1
        }
        for pair in 0..<Self.pairs { counts[pair + 1] += counts[pair] }
        var places = counts
        var candidates = [UInt32](repeating: 0, count: used.count)
        for index in used {
            let pair = Self.pair(self.patterns[index][window - 2], self.patterns[index][window - 1])
            candidates[Int(places[pair])] = UInt32(index)
            places[pair] += 1
        }
        self.shifts = shifts
        starts = counts
        self.candidates = candidates
    }

    private static func pair(_ first: UInt8, _ second: UInt8) -> Int { Int(first) << 8 | Int(second) }

    /// The pattern that begins first in `bytes`, of several at one place that with the lowest number.
    func first(in bytes: UnsafeRawBufferPointer) -> Hit? {
        let last = bytes.count - 1
        return shifts.withUnsafeBufferPointer { shifts in
            var end = window - 1
            while end <= last {
                let pair = Self.pair(bytes[end - 1], bytes[end])
                let shift = Int(shifts[pair])
                if shift == 0 {
                    let start = end - window + 1
                    if let pattern = pattern(of: pair, at: start, in: bytes) {
                        return Hit(pattern: pattern, offset: start)
                    }
                    end += 1
                } else {
                    end += shift
                }
            }
            return nil
        }
    }

    private func pattern(of pair: Int, at start: Int, in bytes: UnsafeRawBufferPointer) -> Int? {
        for place in Int(starts[pair])..<Int(starts[pair + 1]) {
            let index = Int(candidates[place])
            let pattern = patterns[index]
            guard pattern.count <= bytes.count - start else { continue }
            if bytes[start..<(start + pattern.count)].elementsEqual(pattern) { return index }
        }
        return nil
    }
}

/// A search through a stream that comes in pieces, wherever it is cut.
struct StreamSearch: Sendable {
    private let search: PatternSearch
    /// The last of the stream: as much as the longest pattern may have of its beginning there.
    private var tail: [UInt8] = []
    private var position: Int64 = 0
    /// The first pattern, with its place in the stream.
    private(set) var found: (pattern: Int, offset: Int64)?

    init(_ search: PatternSearch) {
        self.search = search
    }

    /// Looks through the next piece, unless something was found before.
    mutating func add(_ piece: UnsafeRawBufferPointer) {
        guard found == nil else { return }
        let kept = search.longest - 1
        if !tail.isEmpty {
            // What begins in the last piece and ends in this one.
            let joined = tail + piece.prefix(kept)
            let hit = joined.withUnsafeBytes { search.first(in: $0) }
            if let hit, hit.offset < tail.count {
                found = (hit.pattern, position - Int64(tail.count) + Int64(hit.offset))
                return
            }
        }
        if let hit = search.first(in: piece) {
            found = (hit.pattern, position + Int64(hit.offset))
            return
        }
        position += Int64(piece.count)
        if piece.count >= kept {
            tail = Array(piece.suffix(kept))
        } else {
            tail += piece
            tail.removeFirst(max(0, tail.count - kept))
        }
    }

    /// Begins anew, with another stream.
    mutating func reset() {
        tail.removeAll(keepingCapacity: true)
        position = 0
        found = nil
    }
}
