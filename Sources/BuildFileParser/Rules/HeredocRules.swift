/// A here-document that goes on after a command of it failed.
func lostFailures(of run: RunInstruction, _ visit: Visit) -> [Finding] {
    guard let heredoc = run.heredocs.first, run.heredocs.count == 1, case .shell(let text) = run.command,
        let shell = interpreter(of: run, text, heredoc, visit.scope), ShellScript.isPOSIX(program: shell[0]),
        !shell.dropFirst().contains(where: stopsAtFailure)
    else { return [] }
    let lines = ScriptLines(heredoc.content)
    guard !lines.setsErrexit, let lost = lines.firstUnchecked else { return [] }
    return [
        Finding(
            .heredocWithoutErrexit,
            "a failure of `\(lost)` is lost: the script goes on, and its last command alone counts",
            at: heredoc.range,
            in: visit.instruction.range
        ).noting("begin it with `set -e`")
    ]
}

/// The shell that reads the document, with its arguments: of the stage, of `#!`, or `bash <<EOF`.
private func interpreter(
    of run: RunInstruction,
    _ text: String,
    _ heredoc: Heredoc,
    _ scope: CheckScope
) -> [String]? {
    if run.scriptHeredoc != nil {
        guard heredoc.content.hasPrefix("#!") else { return scope.shell ?? ["/bin/sh", "-c"] }
        let line = heredoc.content.dropFirst(2).prefix { !$0.isNewline }
        let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
        return words.first?.hasSuffix("/env") == true ? Array(words.dropFirst()).nonEmpty : words.nonEmpty
    }
    let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
    guard let program = words.first, ShellScript.isPOSIX(program: program), words.last?.hasPrefix("<<") == true,
        words.dropFirst().dropLast().allSatisfy({ $0.hasPrefix("-") })
    else { return nil }
    return words.dropLast()
}

extension Array {
    fileprivate var nonEmpty: [Element]? { isEmpty ? nil : self }
}

/// `-e`, `-eux`, `-o errexit`: also where it is one word, as after `#!`.
private func stopsAtFailure(_ argument: String) -> Bool {
    if argument == "errexit" { return true }
    return argument.hasPrefix("-") && !argument.hasPrefix("--") && argument.contains("e")
}

/// A script line by line, as far as one can tell without a shell.
private struct ScriptLines {
    private(set) var setsErrexit = false
    /// The first command whose failure nothing notices: another command follows it.
    private(set) var firstUnchecked: String?

    /// What cannot fail in a way that matters, or only opens and closes what others are in.
    private static let harmless: Set<String> = [
        "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "select", "function",
        "{", "}", "(", ")", "echo", "printf", "export", "set", "shopt", ":", "true", "unset", "local", "return", "exit",
        "shift", "break", "continue", "readonly", "declare", "alias", "umask", "sleep", "!", "[", "[[", "test", "false",
    ]

    private static let openers: Set<String> = ["if", "for", "while", "until", "case", "select", "{", "("]
    private static let closers: Set<String> = ["fi", "done", "esac", "}", ")"]

    private var candidate: String?
    private var isContinued = false
    private var isQuoted = false
    private var delimiter: String?
    /// How many `if`, `for` and the like are open: what is in them is not judged.
    private var depth = 0

    init(_ text: String) {
        for slice in text.split(separator: "\n", omittingEmptySubsequences: true) {
            let line = String(decoding: slice.utf8.trimmed, as: UTF8.self)
            if let end = delimiter {
                if line == end { delimiter = nil }
                continue
            }
            let wasQuoted = isQuoted
            for byte in line.utf8 where byte == .doubleQuote || byte == .singleQuote { isQuoted.toggle() }
            if !wasQuoted, !line.isEmpty, !line.hasPrefix("#") { read(line) }
        }
    }

    private mutating func read(_ line: String) {
        let wasContinued = isContinued
        isContinued = ["\\", "&&", "||", "|"].contains { line.hasSuffix($0) }
        if line.contains(substring: "<<"), !line.contains(substring: "<<<") { delimiter = Self.delimiter(in: line) }
        let words = line.split(whereSeparator: { $0.isWhitespace || $0 == ";" }).map(String.init)
        guard let first = words.first, let last = words.last else { return }
        if first == "set", words.dropFirst().contains(where: stopsAtFailure) { setsErrexit = true }
        if first == "trap" { setsErrexit = true }
        let isClosing = Self.closers.contains(first)
        if let candidate, firstUnchecked == nil, !wasContinued, !isClosing { firstUnchecked = candidate }
        let before = depth
        if Self.openers.contains(first) || (last == "{" && words.count > 1) { depth += 1 }
        if isClosing || (words.count > 1 && Self.closers.contains(last)) { depth = max(0, depth - 1) }
        guard before == 0, depth == 0, !wasContinued, !isContinued, !line.contains(substring: "||") else { return }
        let isAssignment = ShellCommand.assignedName(first) != nil && !line.contains("$(") && !line.contains("`")
        let isFunction = first.hasSuffix("()") || words.dropFirst().first == "()"
        if !Self.harmless.contains(first), !isAssignment, !isFunction, !isClosing {
            candidate = candidate ?? String(line.prefix(60))
        }
    }

    private static func delimiter(in line: String) -> String? {
        let bytes = Array(line.utf8)
        guard var index = (0..<bytes.count).first(where: { bytes.has("<<", at: $0, before: bytes.count) }) else {
            return nil
        }
        index += 2
        let rest = bytes[index...].drop { !$0.isNameByte }
        return rest.prefix(while: \.isNameByte).text
    }
}

extension Substring.UTF8View {
    fileprivate var trimmed: ArraySlice<UInt8> {
        let bytes = Array(self)
        return bytes[bytes.trimmingBlanks(0..<bytes.count)]
    }
}
