/// `<<NAME` in a command: the announcement of a here-document.
struct HeredocWord {
    /// Where it stands in the logical line, the digits of a file descriptor before it included.
    var range: Range<Int>
    /// The delimiter without its quotes.
    var name: [UInt8]
    var expands: Bool
    var stripsTabs: Bool
}

/// Finds the here-documents that a command announces.
///
/// POSIX.1-2017, Shell Command Language, 2.7.4. A `<<` counts at the start of a word only, and not in quotes, in a
/// comment or in `$((…))`.
struct HeredocScanner {
    private let bytes: [UInt8]
    private let end: Int
    /// Whether the text is a shell's, where operators end a delimiter and `#` begins a comment.
    private let isShell: Bool
    private var index: Int
    private var words: [HeredocWord] = []
    /// Where each `$((…))` ends, by where it begins.
    private var arithmetic: [Int: Int] = [:]

    private init(_ bytes: [UInt8], in range: Range<Int>, isShell: Bool) {
        self.bytes = bytes
        self.index = range.lowerBound
        self.end = range.upperBound
        self.isShell = isShell
        self.arithmetic = arithmeticEnds()
    }

    static func scan(_ bytes: [UInt8], in range: Range<Int>, isShell: Bool) -> [HeredocWord] {
        guard range.contains(where: { bytes.has("<<", at: $0, before: range.upperBound) }) else { return [] }
        var scanner = HeredocScanner(bytes, in: range, isShell: isShell)
        scanner.run()
        return scanner.words
    }

    private mutating func run() {
        var startsWord = true
        while index < end {
            let byte = bytes[index]
            if startsWord, let word = readWord(at: index) {
                words.append(word)
                index = word.range.upperBound
                startsWord = false
                continue
            }
            if isShell, startsWord, byte == .hash { return }
            startsWord = byte.isBlank
            switch byte {
            case .singleQuote, .doubleQuote: index = endOfQuote(at: index) ?? end
            case .backslash: index += 2
            default: index = arithmetic[index] ?? index + 1
            }
        }
    }

    /// The index after the quote that closes the one at `start`.
    private func endOfQuote(at start: Int) -> Int? {
        let quote = bytes[start]
        var index = start + 1
        while index < end {
            if bytes[index] == quote { return index + 1 }
            index += quote == .doubleQuote && bytes[index] == .backslash ? 2 : 1
        }
        return nil
    }

    /// Finds `$((…))`, told from a subshell in `$(…)` by its two closing brackets being one.
    private func arithmeticEnds() -> [Int: Int] {
        var ends: [Int: Int] = [:]
        var open: [Int] = []
        for position in index..<end {
            if bytes[position] == UInt8(ascii: "(") { open.append(position) }
            guard bytes[position] == UInt8(ascii: ")"), let inner = open.popLast(), inner - 2 >= index else { continue }
            if bytes.has("$((", at: inner - 2, before: end), bytes.has("))", at: position, before: end) {
                ends[inner - 2] = position + 2
            }
        }
        return ends
    }

    private func readWord(at start: Int) -> HeredocWord? {
        var index = start
        while index < end, bytes[index].isASCIIDigit { index += 1 }
        guard bytes.has("<<", at: index, before: end) else { return nil }
        index += 2
        let stripsTabs = index < end && bytes[index] == .dash
        if stripsTabs { index += 1 }

        var name: [UInt8] = []
        var expands = true
        while index < end, !endsDelimiter(bytes[index]) {
            let byte = bytes[index]
            switch byte {
            case .less:
                return nil
            case .singleQuote, .doubleQuote:
                guard let close = endOfQuote(at: index) else { return nil }
                name += unquoted((index + 1)..<(close - 1), escapes: byte == .doubleQuote)
                expands = false
                index = close
            case .backslash where index + 1 < end:
                name.append(bytes[index + 1])
                expands = false
                index += 2
            default:
                name.append(byte)
                index += 1
            }
        }
        guard !name.isEmpty else { return nil }
        return HeredocWord(range: start..<index, name: name, expands: expands, stripsTabs: stripsTabs)
    }

    private func endsDelimiter(_ byte: UInt8) -> Bool {
        if byte.isBlank { return true }
        guard isShell else { return false }
        switch byte {
        case UInt8(ascii: "|"), UInt8(ascii: "&"), UInt8(ascii: ";"), UInt8(ascii: "("), UInt8(ascii: ")"),
            UInt8(ascii: ">"):
            return true
        default:
            return false
        }
    }

    private func unquoted(_ range: Range<Int>, escapes: Bool) -> [UInt8] {
        guard escapes else { return Array(bytes[range]) }
        var result: [UInt8] = []
        var index = range.lowerBound
        while index < range.upperBound {
            if bytes[index] == .backslash, index + 1 < range.upperBound,
                [.doubleQuote, .backslash, .dollar].contains(bytes[index + 1])
            {
                index += 1
            }
            result.append(bytes[index])
            index += 1
        }
        return result
    }
}
