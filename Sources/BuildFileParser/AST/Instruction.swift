/// An instruction of a stage.
///
/// `FROM` is not one: it begins the stage.
public enum Instruction: Sendable, Hashable {
    /// `ADD`.
    indirect case add(CopyInstruction)
    /// `ARG`.
    case arg(ArgInstruction)
    /// `CMD`.
    case cmd(CommandForm)
    /// `COPY`.
    indirect case copy(CopyInstruction)
    /// `ENTRYPOINT`.
    case entrypoint(CommandForm)
    /// `ENV`.
    case env([KeyValue])
    /// `EXPOSE`: ports as written.
    case expose([Word])
    /// `HEALTHCHECK`.
    indirect case healthcheck(Healthcheck)
    /// `LABEL`.
    case label([KeyValue])
    /// `MAINTAINER`: the text after it.
    case maintainer(String)
    /// `ONBUILD`.
    case onbuild(OnbuildInstruction)
    /// `RUN`.
    indirect case run(RunInstruction)
    /// `SHELL`: at least one element.
    case shell([String])
    /// `STOPSIGNAL`.
    case stopsignal(Word)
    /// `USER`.
    case user(Word)
    /// `VOLUME`: at least one path.
    case volume([Word])
    /// `WORKDIR`.
    case workdir(Word)
}

/// `name=value`, both unexpanded.
public struct KeyValue: Sendable, Hashable {
    /// The name.
    public var key: Word
    /// The value.
    public var value: Word

    /// Makes a pair.
    public init(key: Word, value: Word) {
        self.key = key
        self.value = value
    }
}

/// `ARG name[=default] …`.
public struct ArgInstruction: Sendable, Hashable {
    /// One declared argument.
    public struct Declaration: Sendable, Hashable {
        /// The name, without quotes.
        public var name: Located<String>
        /// The default, `nil` where there is none.
        public var defaultValue: Word?

        /// Makes a declaration.
        public init(name: Located<String>, defaultValue: Word?) {
            self.name = name
            self.defaultValue = defaultValue
        }
    }

    /// At least one, in order.
    public var declarations: [Declaration]

    /// Makes an instruction of declarations.
    public init(declarations: [Declaration]) {
        self.declarations = declarations
    }
}

/// How a command is given: as a list of arguments, or as text for a shell.
public enum CommandForm: Sendable, Hashable {
    /// A JSON array: the program and its arguments.
    case exec([String])
    /// Text for the shell in force.
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
    /// Where `<<NAME` stands.
    public var range: SourceRange
    /// The line of the file that the text begins with; 0 where that is not known.
    public var firstLine = 0

    /// Makes a here-document.
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
    /// The `--mount` flags in order.
    public var mounts: [Mount] = []
    /// `--network`, checked unless it holds variables.
    public var network: Word?
    /// `--security`, checked unless it holds variables.
    public var security: Word?
    /// The `--device` flags in order.
    public var devices: [Word] = []
    /// The command; `script` is what is to be executed.
    public var command: CommandForm
    /// The here-documents of the command in order; the shell form is the first line, without them.
    public var heredocs: [Heredoc] = []

    /// Makes an instruction without flags and here-documents.
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
            /// The name, in lower case.
            public var key: Located<String>
            /// What follows the `=`.
            public var value: Word?

            /// Makes a field.
            public init(key: Located<String>, value: Word?) {
                self.key = key
                self.value = value
            }
        }

        /// In order; at least one.
        public var fields: [Field]
        /// The flag's value.
        public var range: SourceRange

        /// Makes a mount of its fields.
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
        /// A file made of a here-document.
        case heredoc(Heredoc)
    }

    /// At least one.
    public var sources: [Source]
    /// Where they go.
    public var destination: Word
    /// COPY only: the stage, image or context that the sources are in.
    public var from: Word?
    /// `--chown`.
    public var chown: Word?
    /// `--chmod`.
    public var chmod: Word?
    /// The `--exclude` flags in order.
    public var excludes: [Word] = []
    /// `--link`.
    public var link = false
    /// COPY only: `--parents`.
    public var parents = false
    /// ADD only: `nil` where not given (archives of the context are unpacked, downloaded ones are not).
    public var unpack: Bool?
    /// ADD only: the digest that what is downloaded must have.
    public var checksum: Word?
    /// ADD only: whether a repository's `.git` stays.
    public var keepGitDirectory = false

    /// Makes an instruction without flags.
    public init(sources: [Source], destination: Word) {
        self.sources = sources
        self.destination = destination
    }
}

/// `HEALTHCHECK NONE` or `HEALTHCHECK [options] CMD …`.
public enum Healthcheck: Sendable, Hashable {
    /// No check, whatever the base image has.
    case none
    /// A command whose status tells the health.
    case command(CommandForm, HealthcheckOptions)
}

/// The options of a health check; times are in nanoseconds, `nil` where not given.
public struct HealthcheckOptions: Sendable, Hashable {
    /// The time between two checks.
    public var interval: Int64?
    /// The time that a check may take.
    public var timeout: Int64?
    /// The time at the start in which failures do not count.
    public var startPeriod: Int64?
    /// The time between two checks in the start period.
    public var startInterval: Int64?
    /// How many failures in a row make the container unhealthy.
    public var retries: Int?

    /// Makes options of which none is given.
    public init() {}
}

/// `ONBUILD`: the trigger, checked, and its text as the image's configuration stores it.
public struct OnbuildInstruction: Sendable, Hashable {
    /// The instruction's text with continuation lines joined, without comments.
    ///
    /// Here-documents follow it as they stand in the file; `parseTrigger` reads it back.
    public var text: String

    /// Makes a trigger of its text.
    public init(text: String) {
        self.text = text
    }
}
