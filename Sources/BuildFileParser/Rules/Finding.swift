/// What a check found: which rule, what, and where.
public struct Finding: Sendable, Hashable {
    /// The rule.
    public var rule: Rule
    /// One sentence about this place.
    public var message: String
    /// The words that it is about; the caret goes under them.
    public var range: SourceRange
    /// The instruction that they belong to: what BuildKit reports.
    public var instruction: SourceRange
    /// What to do: one sentence each.
    public var notes: [String]

    /// Makes a finding about some words of an instruction.
    public init(_ rule: Rule, _ message: String, at range: SourceRange, in instruction: SourceRange) {
        self.rule = rule
        self.message = message
        self.range = range
        self.instruction = instruction
        notes = []
    }

    /// The finding as a diagnostic, with the rule's name and page.
    public var diagnostic: Diagnostic {
        Diagnostic("\(message) [\(rule.rawValue)]", at: range, notes: notes + ["see \(rule.page)"])
    }

    func noting(_ note: String?) -> Finding {
        var result = self
        if let note { result.notes.append(note) }
        return result
    }
}
