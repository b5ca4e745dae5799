/// A piece of an instruction in which variables are expanded: the text as written, quotes and escapes included.
///
/// Where an instruction takes a value as it is (after JSON decoding, say), the parser makes a word whose expansion still
/// follows that instruction's rules.
public struct Word: Sendable, Hashable {
    /// As it stands in the file, continuation lines joined.
    public var raw: String
    /// The whole word in the file.
    public var range: SourceRange
    /// The file's escape character.
    public var escape: Character

    /// Makes a word of its text.
    public init(raw: String, range: SourceRange, escape: Character = "\\") {
        self.raw = raw
        self.range = range
        self.escape = escape
    }
}

/// What a word became, and which variables it asked for.
public struct Expansion: Sendable, Hashable {
    /// The result.
    public var text: String
    /// Names that had a value, in order of first use.
    public var used: [String]
    /// Names that had none, in order of first use.
    public var missing: [String]

    /// Makes a result.
    public init(text: String, used: [String], missing: [String]) {
        self.text = text
        self.used = used
        self.missing = missing
    }
}
