/// A command of a shell script: its words without quotes, and where it stands in the script.
struct ShellCommand: Sendable, Hashable {
    var words: [String]
    var range: Range<Int>

    /// The program: the first word that is neither an assignment nor something that only stands before a command.
    var program: Int? {
        let before = [
            "if", "then", "else", "elif", "while", "until", "do", "!", "{", "exec", "sudo", "time", "command",
        ]
        return words.firstIndex { word in
            !before.contains(word) && Self.assignedName(word) == nil
        }
    }

    /// The program's name without its directories, and its arguments.
    var call: (name: String, arguments: ArraySlice<String>)? {
        guard let program else { return nil }
        let name = words[program].split(separator: "/").last.map(String.init) ?? ""
        return (name, words[(program + 1)...])
    }

    /// The name of `NAME=…` and `NAME+=…`.
    static func assignedName(_ word: String) -> Substring? {
        guard let sign = word.utf8.firstIndex(of: .equals) else { return nil }
        var name = word[..<sign]
        if name.hasSuffix("+") { name = name.dropLast() }
        guard let first = name.utf8.first, !first.isASCIIDigit else { return nil }
        return name.utf8.allSatisfy(\.isNameByte) ? name : nil
    }
}

extension UInt8 {
    /// A letter, a digit or `_`: what names of shell variables are made of.
    var isNameByte: Bool { isASCIILetter || isASCIIDigit || self == UInt8(ascii: "_") }
}

/// The script that a RUN hands to a shell of the POSIX kind, as far as checks need to understand it.
///
/// Where it is too intricate, commands come out in pieces: the checks look for whole ones and stay silent then.
struct ShellScript {
    private(set) var commands: [ShellCommand] = []
    /// The variables that the shell replaces.
    private(set) var variables: [VariableUse] = []
    private var defined: Set<String> = []
    private var definesAnything = false
    private let places: ScriptPlaces

    /// The script of a RUN; `nil` where it is no shell's, or another kind of shell's.
    init?(_ run: RunInstruction, at visit: Visit, _ context: CheckContext) {
        guard Self.isPOSIX(visit.scope.shell), let spelling = context.spelling(at: visit.instruction.range),
            case .shell(let text) = run.command
        else { return nil }
        if let heredoc = run.scriptHeredoc {
            guard !heredoc.content.hasPrefix("#!") else { return nil }
            places = .heredoc(HeredocLines(heredoc, firstLine: spelling.line.lastLine + 1))
            read(heredoc.content)
        } else {
            places = .line(spelling)
            read(text)
        }
    }

    func place(of range: Range<Int>) -> SourceRange { places.range(range) }

    /// Whether the script may give the variable a value.
    func mayDefine(_ name: String) -> Bool { definesAnything || defined.contains(name) }

    static func isPOSIX(_ shell: [String]?) -> Bool {
        guard let program = shell?.first else { return true }
        return isPOSIX(program: program)
    }

    static func isPOSIX(program: some StringProtocol) -> Bool {
        let name = program.utf8.split(separator: UInt8.slash).last?.text ?? ""
        return ["sh", "bash", "ash", "dash", "ksh", "zsh"].contains(name)
    }

    private mutating func read(_ text: String) {
        var scanner = ShellScanner(Array(text.utf8))
        scanner.scan()
        commands = scanner.commands
        variables = scanner.uses.map { use in
            VariableUse(name: use.name, hasFallback: use.hasFallback, range: places.range(use.range))
        }
        defined = scanner.defined
        for command in commands {
            for word in command.words {
                if let name = ShellCommand.assignedName(word) { defined.insert(String(name)) }
            }
            let definers = ["read", "for", "select", "getopts", "mapfile", "readarray", "printf", "declare", "local"]
            if command.words.contains(where: definers.contains) { defined.formUnion(command.words) }
            if [".", "source", "eval"].contains(command.call?.name) { definesAnything = true }
        }
    }
}

extension RunInstruction {
    /// The here-document that is the whole script.
    var scriptHeredoc: Heredoc? {
        guard let only = heredocs.first, heredocs.count == 1, case .shell(let text) = command, Self.isJustHeredoc(text)
        else { return nil }
        return only
    }
}

/// Where the bytes of a script stand in the build file.
private enum ScriptPlaces {
    case line(Spelling)
    case heredoc(HeredocLines)

    func range(_ range: Range<Int>) -> SourceRange {
        switch self {
        case .line(let spelling):
            let start = min(spelling.body.lowerBound + range.lowerBound, spelling.body.upperBound)
            let end = min(spelling.body.lowerBound + range.upperBound, spelling.body.upperBound)
            return spelling.line.sourceRange(start..<end)
        case .heredoc(let lines): return lines.range(range)
        }
    }
}

/// The lines of a here-document, and the tabs that `<<-` took away from each.
private struct HeredocLines {
    private var starts: [Int] = [0]
    private var tabs: [Int] = []
    private let firstLine: Int

    init(_ heredoc: Heredoc, firstLine: Int) {
        self.firstLine = firstLine
        for (index, byte) in heredoc.content.utf8.enumerated() where byte == .newline { starts.append(index + 1) }
        guard heredoc.stripsTabs else { return }
        var count = 0
        var isAtStart = true
        for byte in heredoc.rawContent.utf8 {
            isAtStart = isAtStart && byte == .tab
            if isAtStart { count += 1 }
            guard byte == .newline else { continue }
            tabs.append(count)
            count = 0
            isAtStart = true
        }
    }

    func range(_ range: Range<Int>) -> SourceRange {
        var end = position(max(range.lowerBound, range.upperBound - 1))
        if !range.isEmpty { end.column += 1 }
        return SourceRange(start: position(range.lowerBound), end: end)
    }

    private func position(_ offset: Int) -> SourcePosition {
        var low = 0
        var high = starts.count
        while low < high {
            let middle = (low + high) / 2
            if starts[middle] <= offset { low = middle + 1 } else { high = middle }
        }
        let line = max(0, low - 1)
        let removed = line < tabs.count ? tabs[line] : 0
        return SourcePosition(line: firstLine + line, column: offset - starts[line] + removed + 1)
    }
}
