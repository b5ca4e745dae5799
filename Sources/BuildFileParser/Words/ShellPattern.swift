/// A shell's pattern as in `${x#pattern}`: `*` is any text, `?` any character, the rest stands for itself.
///
/// POSIX.1-2017, Shell Command Language, 2.13, without bracket expressions. A pattern is kept as what stands between
/// its stars; each of those is searched for once, from left to right, so that matching needs no backtracking.
struct ShellPattern {
    private enum Unit: Equatable {
        case byte(UInt8)
        case anyCharacter
    }

    private var segments: [[Unit]] = [[]]

    /// Quoted stars and question marks stand for themselves, and so do those after a backslash that a value brings.
    init(_ text: ExpandedText) {
        var isEscaped = false
        for (byte, quoted) in zip(text.bytes, text.isQuoted) {
            switch byte {
            case _ where quoted || isEscaped:
                if quoted, isEscaped { segments[segments.count - 1].append(.byte(.backslash)) }
                segments[segments.count - 1].append(.byte(byte))
                isEscaped = false
            case .backslash: isEscaped = true
            case .star: segments.append([])
            case UInt8(ascii: "?"): segments[segments.count - 1].append(.anyCharacter)
            default: segments[segments.count - 1].append(.byte(byte))
            }
        }
        if isEscaped { segments[segments.count - 1].append(.byte(.backslash)) }
    }

    func removingPrefix(from value: [UInt8], longest: Bool) -> [UInt8] {
        guard let first = segments.first, let start = end(of: first, in: value, at: 0),
            let end = endOfRest(in: value, from: start, longest: longest)
        else { return value }
        return Array(value[end...])
    }

    func removingSuffix(from value: [UInt8], longest: Bool) -> [UInt8] {
        let reversed = reversed()
        let backwards = Self.reversedCharacters(value)
        let rest = reversed.removingPrefix(from: backwards, longest: longest)
        return Self.reversedCharacters(rest)
    }

    /// Replaces the first match or all of them; each match is the longest at its place.
    func replacing(in value: [UInt8], with replacement: [UInt8], all: Bool) -> [UInt8] {
        guard segments != [[]] else { return value }
        var result: [UInt8] = []
        var done = 0
        while let match = firstMatch(in: value, from: done) {
            result += value[done..<match.lowerBound]
            result += replacement
            done = match.upperBound
            // With a star in it, the pattern has taken all that it can match.
            if !all || segments.count > 1 || match.isEmpty { break }
        }
        return result + value[done...]
    }

    private func firstMatch(in value: [UInt8], from start: Int) -> Range<Int>? {
        guard let first = segments.first, let head = find(first, in: value, from: start),
            let end = endOfRest(in: value, from: head.upperBound, longest: true)
        else { return nil }
        return head.lowerBound..<end
    }

    /// Where a match ends whose first segment ends at `start`.
    private func endOfRest(in value: [UInt8], from start: Int, longest: Bool) -> Int? {
        var position = start
        guard segments.count > 1, let last = segments.last else { return position }
        for segment in segments.dropFirst().dropLast() {
            guard let match = find(segment, in: value, from: position) else { return nil }
            position = match.upperBound
        }
        return longest ? findLast(last, in: value, from: position) : find(last, in: value, from: position)?.upperBound
    }

    private func find(_ segment: [Unit], in value: [UInt8], from start: Int) -> Range<Int>? {
        var position = start
        while position <= value.count {
            if let end = end(of: segment, in: value, at: position) { return position..<end }
            guard position < value.count else { return nil }
            position += DecodedScalar(in: value, at: position, before: value.count).width
        }
        return nil
    }

    /// Where the last occurrence of the segment at or after `start` ends.
    private func findLast(_ segment: [Unit], in value: [UInt8], from start: Int) -> Int? {
        var position = value.count
        while position >= start {
            let isBoundary = position == value.count || value[position] & 0xC0 != 0x80
            if isBoundary, let end = end(of: segment, in: value, at: position) { return end }
            position -= 1
        }
        return nil
    }

    private func end(of segment: [Unit], in value: [UInt8], at start: Int) -> Int? {
        var position = start
        for unit in segment {
            guard position < value.count else { return nil }
            switch unit {
            case .byte(let byte):
                guard value[position] == byte else { return nil }
                position += 1
            case .anyCharacter:
                position += DecodedScalar(in: value, at: position, before: value.count).width
            }
        }
        return position
    }

    /// The pattern that matches the reversed text.
    private func reversed() -> ShellPattern {
        var result = self
        result.segments = segments.reversed().map { Self.regrouped($0.reversed()) }
        return result
    }

    /// Puts the bytes of each character, which a plain reversal turned round, back into order.
    private static func regrouped(_ units: [Unit]) -> [Unit] {
        var result: [Unit] = []
        var tail: [Unit] = []
        for unit in units {
            if case .byte(let byte) = unit, byte & 0xC0 == 0x80 {
                tail.append(unit)
                continue
            }
            result.append(unit)
            result += tail.reversed()
            tail = []
        }
        return result + tail.reversed()
    }

    private static func reversedCharacters(_ value: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(value.count)
        var end = value.count
        while end > 0 {
            var start = end - 1
            while start > 0, value[start] & 0xC0 == 0x80 { start -= 1 }
            result += value[start..<end]
            end = start
        }
        return result
    }
}
