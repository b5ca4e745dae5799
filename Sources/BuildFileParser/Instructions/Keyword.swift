/// The instructions of a build file (Dockerfile reference, "Overview").
enum Keyword: String, CaseIterable, Sendable {
    case add = "ADD"
    case arg = "ARG"
    case cmd = "CMD"
    case copy = "COPY"
    case entrypoint = "ENTRYPOINT"
    case env = "ENV"
    case expose = "EXPOSE"
    case from = "FROM"
    case healthcheck = "HEALTHCHECK"
    case label = "LABEL"
    case maintainer = "MAINTAINER"
    case onbuild = "ONBUILD"
    case run = "RUN"
    case shell = "SHELL"
    case stopsignal = "STOPSIGNAL"
    case user = "USER"
    case volume = "VOLUME"
    case workdir = "WORKDIR"

    init(_ word: Located<String>) throws(Diagnostic) {
        let name = word.value.asciiUppercased
        guard let keyword = Keyword(rawValue: name) else {
            var notes = expectation(instead: name, among: Self.allCases.map(\.rawValue))
            if suggestion(for: name, among: Self.allCases.map(\.rawValue)) == nil {
                notes.append(
                    "if the line belongs to the instruction above, that one has to end in the escape character"
                )
            }
            throw Diagnostic("unknown instruction `\(word.value)`", at: word.range, notes: notes)
        }
        self = keyword
    }

    /// Whether `<<NAME` in its arguments begins a here-document.
    var takesHeredocs: Bool { [.run, .copy, .add].contains(self) }

    var flags: [FlagRule] {
        switch self {
        case .from: FlagRule.from
        case .run: FlagRule.run
        case .copy: FlagRule.copy
        case .add: FlagRule.add
        case .healthcheck: FlagRule.healthcheck
        case .arg, .cmd, .entrypoint, .env, .expose, .label, .maintainer, .onbuild, .shell, .stopsignal, .user,
            .volume, .workdir:
            []
        }
    }
}

/// A flag that an instruction has.
struct FlagRule: Sendable {
    enum Kind: Sendable {
        /// `--name=value`, once.
        case value
        /// `--name=value`, as often as wanted.
        case values
        /// `--name`, `--name=true` or `--name=false`.
        case boolean
    }

    var name: String
    var kind: Kind

    init(_ name: String, _ kind: Kind) {
        self.name = name
        self.kind = kind
    }
}

extension FlagRule {
    static let from = [FlagRule("platform", .value)]
    static let run = [
        FlagRule("mount", .values), FlagRule("network", .value), FlagRule("security", .value),
        FlagRule("device", .values),
    ]
    static let copy = [
        FlagRule("from", .value), FlagRule("chown", .value), FlagRule("chmod", .value), FlagRule("link", .boolean),
        FlagRule("parents", .boolean), FlagRule("exclude", .values),
    ]
    static let add = [
        FlagRule("chown", .value), FlagRule("chmod", .value), FlagRule("link", .boolean), FlagRule("exclude", .values),
        FlagRule("checksum", .value), FlagRule("keep-git-dir", .boolean), FlagRule("unpack", .boolean),
    ]
    static let healthcheck = [
        FlagRule("interval", .value), FlagRule("timeout", .value), FlagRule("start-period", .value),
        FlagRule("start-interval", .value), FlagRule("retries", .value),
    ]
}
