/// What is wrong with a build file, where, and what may help.
///
/// `DiagnosticRenderer` turns it into text.
public struct Diagnostic: Error, Sendable, Hashable {
    /// One sentence without a final stop: what is wrong, with the offending word.
    public var message: String
    /// Where; the caret goes under this.
    public var range: SourceRange?
    /// What to do, or what was expected: one sentence each.
    public var notes: [String]

    /// Makes a diagnostic.
    public init(_ message: String, at range: SourceRange?, notes: [String] = []) {
        self.message = message
        self.range = range
        self.notes = notes
    }
}

extension Diagnostic: CustomStringConvertible {
    /// The message with its place in front, on one line.
    public var description: String {
        guard let start = range?.start else { return message }
        return "line \(start.line), column \(start.column): \(message)"
    }
}
