/// An instruction of a stage. `FROM` is not one: it begins the stage.
public enum Instruction: Sendable, Hashable {
    case add(CopyInstruction)
    case arg(ArgInstruction)
    case cmd(CommandForm)
    case copy(CopyInstruction)
    case entrypoint(CommandForm)
    case env([KeyValue])
    case expose([Word])
    case healthcheck(Healthcheck)
    case label([KeyValue])
    case maintainer(String)
    case onbuild(OnbuildInstruction)
    case run(RunInstruction)
    case shell([String])
    case stopsignal(Word)
    case user(Word)
    case volume([Word])
    case workdir(Word)
}

/// `name=value`, both unexpanded.
public struct KeyValue: Sendable, Hashable {
    public var key: Word
    public var value: Word

    public init(key: Word, value: Word) {
        self.key = key
        self.value = value
    }
}

/// `ARG name[=default] …`.
public struct ArgInstruction: Sendable, Hashable {
    /// One declared argument.
    public struct Declaration: Sendable, Hashable {
        public var name: Located<String>
        public var defaultValue: Word?

        public init(name: Located<String>, defaultValue: Word?) {
            self.name = name
            self.defaultValue = defaultValue
        }
    }

    public var declarations: [Declaration]

    public init(declarations: [Declaration]) {
        self.declarations = declarations
    }
}

/// How a command is given: as a list of arguments, or as text for a shell.
public enum CommandForm: Sendable, Hashable {
    case exec([String])
    case shell(String)
}

/// A here-document: `<<NAME`, its text and how it was written.
public struct Heredoc: Sendable, Hashable {
    /// The delimiter without quotes; for COPY also the file's name.
    public var name: String
    /// The text as it is used: with `<<-`, leading tabs are already removed.
    public var content: String
    /// The text between the delimiters as it stands in the file.
    public var rawContent: String
    /// Whether variables in it are expanded (the delimiter was not quoted).
    public var expands: Bool
    /// Whether it began with `<<-`.
    public var stripsTabs: Bool
    public var range: SourceRange

    public init(
        name: String,
        content: String,
        rawContent: String,
        expands: Bool,
        stripsTabs: Bool,
        range: SourceRange
    ) {
        self.name = name
        self.content = content
        self.rawContent = rawContent
        self.expands = expands
        self.stripsTabs = stripsTabs
        self.range = range
    }
}

/// `RUN`.
public struct RunInstruction: Sendable, Hashable {
    public var mounts: [Mount] = []
    public var network: Word?
    public var security: Word?
    public var devices: [Word] = []
    public var command: CommandForm
    /// The here-documents of the command in order; the shell form is the first line, without them.
    public var heredocs: [Heredoc] = []

    public init(command: CommandForm) {
        self.command = command
    }

    /// One `--mount=`: its comma-separated fields, in order, each unexpanded and with its place.
    ///
    /// A field without `=` has no value. The planner gives the fields their meaning, since types, sources and targets
    /// may hold variables.
    public struct Mount: Sendable, Hashable {
        /// `key=value` or `key`.
        public struct Field: Sendable, Hashable {
            public var key: Located<String>
            public var value: Word?

            public init(key: Located<String>, value: Word?) {
                self.key = key
                self.value = value
            }
        }

        public var fields: [Field]
        public var range: SourceRange

        public init(fields: [Field], range: SourceRange) {
            self.fields = fields
            self.range = range
        }
    }
}

/// `COPY` and `ADD`: the parser has checked that each flag belongs to the instruction.
public struct CopyInstruction: Sendable, Hashable {
    /// What is copied.
    public enum Source: Sendable, Hashable {
        /// A path or pattern in the context or in `from`; for ADD also a URL.
        case path(Word)
        case heredoc(Heredoc)
    }

    public var sources: [Source]
    public var destination: Word
    public var from: Word?
    public var chown: Word?
    public var chmod: Word?
    public var excludes: [Word] = []
    public var link = false
    public var parents = false
    /// ADD only: `nil` where not given (archives of the context are unpacked, downloaded ones are not).
    public var unpack: Bool?
    /// ADD only.
    public var checksum: Word?
    /// ADD only.
    public var keepGitDirectory = false

    public init(sources: [Source], destination: Word) {
        self.sources = sources
        self.destination = destination
    }
}

/// `HEALTHCHECK NONE` or `HEALTHCHECK [options] CMD …`.
public enum Healthcheck: Sendable, Hashable {
    case none
    case command(CommandForm, HealthcheckOptions)
}

/// The options of a health check; times are in nanoseconds, `nil` where not given.
public struct HealthcheckOptions: Sendable, Hashable {
    public var interval: Int64?
    public var timeout: Int64?
    public var startPeriod: Int64?
    public var startInterval: Int64?
    public var retries: Int?

    public init() {}
}

/// `ONBUILD`: the trigger, checked, and its text as the image's configuration stores it.
public struct OnbuildInstruction: Sendable, Hashable {
    /// The instruction's text with continuation lines joined, without comments.
    public var text: String

    public init(text: String) {
        self.text = text
    }
}
