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
    /// Arithmetic longer than this is not looked through, which keeps the scan linear.
    private static let arithmeticLimit = 4096

    private let bytes: [UInt8]
    private let end: Int
    /// Whether the text is a shell's, where operators end a delimiter and `#` begins a comment.
    private let isShell: Bool
    private var index: Int
    private var words: [HeredocWord] = []

    private init(_ bytes: [UInt8], in range: Range<Int>, isShell: Bool) {
        self.bytes = bytes
        self.index = range.lowerBound
        self.end = range.upperBound
        self.isShell = isShell
    }

    static func scan(_ bytes: [UInt8], in range: Range<Int>, isShell: Bool) -> [HeredocWord] {
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
            case .dollar where bytes.has("$((", at: index, before: end): index = endOfArithmetic(at: index)
            default: index += 1
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

    /// The index after `$((…))`, or, where that is a subshell inside `$(`, the one after the `$(`.
    private func endOfArithmetic(at start: Int) -> Int {
        var depth = 2
        for index in (start + 3)..<max(start + 3, min(end, start + Self.arithmeticLimit)) {
            if bytes[index] == UInt8(ascii: "(") { depth += 1 }
            if bytes[index] == UInt8(ascii: ")") {
                depth -= 1
                if depth == 0 { return bytes[index - 1] == UInt8(ascii: ")") ? index + 1 : start + 2 }
            }
        }
        return start + 2
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
