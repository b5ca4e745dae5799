/// A parsed build file: nothing in it is expanded yet.
public struct BuildFile: Sendable, Hashable {
    /// What the directives at the top of the file say.
    public var directives: Directives
    /// The `ARG` instructions before the first `FROM`.
    public var globalArguments: [Located<ArgInstruction>]
    /// At least one, in the order of the file.
    public var stages: [Stage]
    /// How the instructions are written, in the order of the file: for the checks and outlines alone.
    var spellings: [Spelling] = []

    /// Makes a file of its parts.
    public init(directives: Directives, globalArguments: [Located<ArgInstruction>], stages: [Stage]) {
        self.directives = directives
        self.globalArguments = globalArguments
        self.stages = stages
    }
}

/// The parser directives (`# name=value` lines before anything else).
public struct Directives: Sendable, Hashable {
    /// The frontend image that the file asks for.
    public var syntax: Located<String>?
    /// The character that escapes and continues lines: a backslash or a backtick.
    public var escape: Character
    /// The text of the `check` directive.
    public var check: Located<String>?

    /// Makes directives; without arguments, those of a file that has none.
    public init(syntax: Located<String>? = nil, escape: Character = "\\", check: Located<String>? = nil) {
        self.syntax = syntax
        self.escape = escape
        self.check = check
    }
}

/// A `FROM` and what follows it.
public struct Stage: Sendable, Hashable {
    /// What it builds on.
    public var from: Located<FromInstruction>
    /// The rest, in order.
    public var instructions: [Located<Instruction>]

    /// Makes a stage.
    public init(from: Located<FromInstruction>, instructions: [Located<Instruction>]) {
        self.from = from
        self.instructions = instructions
    }
}

/// `FROM [--platform=…] image [AS name]`.
public struct FromInstruction: Sendable, Hashable {
    /// An image or an earlier stage.
    public var image: Word
    /// `--platform`.
    public var platform: Word?
    /// As written; names compare without case.
    public var name: Located<String>?

    /// Makes an instruction of its parts.
    public init(image: Word, platform: Word?, name: Located<String>?) {
        self.image = image
        self.platform = platform
        self.name = name
    }
}
