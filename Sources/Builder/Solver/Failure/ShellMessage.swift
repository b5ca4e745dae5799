/// What a shell says of a command that it could not execute.
///
/// The words are those of dash, busybox, bash, zsh and env(1); POSIX.1-2017, 2.8.2, has the exit status alone.
enum ShellMessage {
    private static let endings = [
        ": not found", ": command not found", ": Permission denied", ": No such file or directory",
        ": cannot execute: required file not found", ": cannot execute: No such file or directory",
        ": cannot execute binary file: Exec format error", ": Exec format error", ": Is a directory",
        ": bad interpreter: No such file or directory",
    ]

    /// The command that the last such message names.
    static func command(in lines: [String]) -> String? {
        for line in lines.reversed() {
            guard let ending = endings.filter({ line.hasSuffix($0) }).max(by: { $0.count < $1.count }) else { continue }
            let rest = line.dropLast(ending.count)
            let name = rest.split(separator: ": ").last.map(String.init) ?? ""
            let word = unquoted(name)
            if !word.isEmpty, !word.contains(" ") { return word }
        }
        return nil
    }

    /// `can't execute 'python'` and `'python'` are `python`.
    private static func unquoted(_ text: String) -> String {
        let quotes: [Character] = ["'", "\"", "`", "\u{2018}", "\u{2019}"]
        guard let last = text.last, quotes.contains(last) else { return text }
        let inner = text.dropLast()
        guard let open = inner.lastIndex(where: { quotes.contains($0) }) else { return String(inner) }
        return String(inner[inner.index(after: open)...])
    }
}
