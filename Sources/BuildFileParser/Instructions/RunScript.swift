/// What a `RUN` executes.
public enum RunScript: Sendable, Hashable {
    /// The exec form: a program and its arguments, no shell.
    case arguments([String])
    /// Text for the shell.
    case shell(String)
    /// A script that begins with `#!`: a file that its own interpreter executes.
    case file(script: String)
}

extension RunInstruction {
    /// What is to be executed, here-documents included.
    ///
    /// A command that is just `<<NAME` runs the document as a script. Any other goes to the shell as it is, followed by
    /// its documents as they stand in the file, so that the shell reads them.
    public var script: RunScript {
        switch command {
        case .exec(let arguments): return .arguments(arguments)
        case .shell(let text):
            guard !heredocs.isEmpty else { return .shell(text) }
            if let only = heredocs.first, heredocs.count == 1, Self.isJustHeredoc(text) {
                return only.content.hasPrefix("#!") ? .file(script: only.content) : .shell(only.content)
            }
            return .shell(text + heredocs.map(\.appendix).joined())
        }
    }

    /// The text that is handed to the shell; of the exec form its arguments, of a script file its content.
    public var commandText: String {
        switch script {
        case .arguments(let arguments): arguments.joined(separator: " ")
        case .shell(let text), .file(let text): text
        }
    }

    static func isJustHeredoc(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        let words = HeredocScanner.scan(bytes, in: 0..<bytes.count, isShell: true)
        return words.count == 1 && words.first?.range == 0..<bytes.count
    }
}

extension Heredoc {
    /// The lines that follow the command: the document and its delimiter.
    var appendix: String { "\n" + rawContent + name }
}
