/// Takes a shell script apart into commands and variables (POSIX.1-2017, Shell Command Language, 2.2 and 2.3).
///
/// What is in `$(…)` and in backquotes comes out as commands of its own, and so does what follows it.
struct ShellScanner {
    struct Use {
        var name: String
        var hasFallback: Bool
        var range: Range<Int>
    }

    private struct PendingHeredoc {
        var delimiter: [UInt8]
        var expands: Bool
    }

    private let bytes: [UInt8]
    private var index = 0
    private(set) var commands: [ShellCommand] = []
    private(set) var uses: [Use] = []
    /// Names that `${x:=…}` gives a value.
    private(set) var defined: Set<String> = []
    private var words: [String] = []
    private var word: [UInt8] = []
    private var isInWord = false
    /// Where the command begins and where its last word ends.
    private var start = 0
    private var end = 0
    private var pending: [PendingHeredoc] = []

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func scan() {
        while index < bytes.count { step() }
        endCommand()
    }

    private mutating func step() {
        let byte = bytes[index]
        switch byte {
        case .backslash:
            if index + 1 < bytes.count, bytes[index + 1] != .newline { take(bytes[index + 1]) }
            index += 2
        case .singleQuote:
            beginWord()
            let close = bytes[(index + 1)...].firstIndex(of: .singleQuote) ?? bytes.count
            word += bytes[(index + 1)..<close]
            index = close + 1
        case .doubleQuote: doubleQuoted()
        case .dollar: dollar()
        case .newline:
            endCommand()
            index += 1
            readHeredocs()
        case UInt8(ascii: ";"), UInt8(ascii: "&"), UInt8(ascii: "|"), UInt8(ascii: "("), UInt8(ascii: ")"),
            UInt8(ascii: "`"):
            endCommand()
            index += 1
        case .less where bytes.has("<<<", at: index, before: bytes.count): index += 3
        case .less where bytes.has("<<", at: index, before: bytes.count): heredoc()
        case .hash where !isInWord:
            index = bytes[index...].firstIndex(of: .newline) ?? bytes.count
        case _ where byte.isBlank:
            endWord()
            index += 1
        default:
            take(byte)
            index += 1
        }
    }

    private mutating func beginWord() {
        guard !isInWord else { return }
        isInWord = true
        if words.isEmpty { start = index }
    }

    private mutating func take(_ byte: UInt8) {
        beginWord()
        word.append(byte)
    }

    private mutating func endWord() {
        guard isInWord else { return }
        words.append(word.text)
        word = []
        isInWord = false
        end = index
    }

    private mutating func endCommand() {
        endWord()
        if !words.isEmpty { commands.append(ShellCommand(words: words, range: start..<min(end, bytes.count))) }
        words = []
    }

    private mutating func doubleQuoted() {
        beginWord()
        index += 1
        while index < bytes.count, bytes[index] != .doubleQuote {
            if bytes[index] == .backslash, index + 1 < bytes.count {
                word.append(bytes[index + 1])
                index += 2
            } else if bytes[index] == .dollar {
                dollar()
            } else {
                word.append(bytes[index])
                index += 1
            }
        }
        index += 1
    }

    /// Reads `$name` or `${name…}`; the text stays in the word as it is.
    private mutating func dollar() {
        beginWord()
        let open = index
        index += 1
        let isBraced = index < bytes.count && bytes[index] == UInt8(ascii: "{")
        if isBraced { index += 1 }
        let name = index
        while index < bytes.count, bytes[index].isNameByte { index += 1 }
        guard index > name, !bytes[name].isASCIIDigit else {
            word += bytes[open..<index]
            return
        }
        let text = bytes[name..<index].text
        var hasFallback = false
        if isBraced {
            var modifier = index
            if modifier < bytes.count, bytes[modifier] == UInt8(ascii: ":") { modifier += 1 }
            let sign = modifier < bytes.count ? bytes[modifier] : UInt8(ascii: "}")
            hasFallback = [.dash, UInt8(ascii: "+"), UInt8(ascii: "?"), .equals].contains(sign)
            if sign == .equals { defined.insert(text) }
            if index < bytes.count, bytes[index] == UInt8(ascii: "}") { index += 1 }
        }
        uses.append(Use(name: text, hasFallback: hasFallback, range: open..<index))
        word += bytes[open..<index]
    }

    /// Reads `<<NAME` and remembers that lines follow which are no commands.
    private mutating func heredoc() {
        endWord()
        index += 2
        if index < bytes.count, bytes[index] == .dash { index += 1 }
        while index < bytes.count, bytes[index] == .space || bytes[index] == .tab { index += 1 }
        var delimiter: [UInt8] = []
        var expands = true
        while index < bytes.count,
            bytes[index].isNameByte
                || [.singleQuote, .doubleQuote, .backslash, .dash].contains(
                    bytes[index]
                )
        {
            if bytes[index].isNameByte || bytes[index] == .dash {
                delimiter.append(bytes[index])
            } else {
                expands = false
            }
            index += 1
        }
        if !delimiter.isEmpty { pending.append(PendingHeredoc(delimiter: delimiter, expands: expands)) }
    }

    private mutating func readHeredocs() {
        for heredoc in pending {
            while index < bytes.count {
                let lineEnd = bytes[index...].firstIndex(of: .newline) ?? bytes.count
                let line = index..<lineEnd
                let text = bytes[line].drop { $0 == .tab }
                if heredoc.expands { readVariables(in: line) }
                index = min(lineEnd + 1, bytes.count)
                if text.elementsEqual(heredoc.delimiter) { break }
            }
        }
        pending = []
    }

    private mutating func readVariables(in line: Range<Int>) {
        let next = index
        index = line.lowerBound
        while index < line.upperBound {
            if bytes[index] == .backslash {
                index += 2
            } else if bytes[index] == .dollar {
                dollar()
            } else {
                index += 1
            }
        }
        index = next
        word = []
        isInWord = false
    }
}
