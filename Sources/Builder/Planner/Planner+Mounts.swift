import BuildFileParser

/// The fields of one `--mount`, expanded, each taken once.
private struct MountFields {
    private var fields: [(key: String, value: String?, range: SourceRange, name: SourceRange)] = []
    let range: SourceRange

    init(_ mount: RunInstruction.Mount, scope: VariableScope) throws(Diagnostic) {
        range = mount.range
        for field in mount.fields {
            let key = field.key.value.lowercased()
            // A stage or context is named literally: the graph must be known before any variable is.
            let value = key == "from" ? field.value?.raw : try field.value?.expand { scope[$0] }.text
            fields.append((key, value, field.value?.range ?? field.key.range, field.key.range))
        }
    }

    mutating func take(_ names: String...) throws(Diagnostic) -> (value: String, range: SourceRange)? {
        guard let index = fields.lastIndex(where: { names.contains($0.key) }) else { return nil }
        let field = fields[index]
        fields.removeAll { names.contains($0.key) }
        guard let value = field.value else {
            throw Diagnostic(
                "the mount's `\(field.key)` needs a value",
                at: field.range,
                notes: ["write `\(field.key)=VALUE`"]
            )
        }
        return (value, field.range)
    }

    /// A boolean that is true where it stands alone; `nil` where it was not given.
    mutating func takeFlag(_ names: String...) throws(Diagnostic) -> Bool? {
        guard let index = fields.lastIndex(where: { names.contains($0.key) }) else { return nil }
        let field = fields[index]
        fields.removeAll { names.contains($0.key) }
        switch field.value?.lowercased() {
        case nil, "true", "t", "1": return true
        case "false", "f", "0": return false
        case let other?:
            throw Diagnostic(
                "`\(other)` is no value of `\(field.key)`",
                at: field.range,
                notes: ["expected true or false"]
            )
        }
    }

    mutating func takeNumber(_ name: String) throws(Diagnostic) -> UInt32 {
        guard let field = try take(name) else { return 0 }
        guard let number = UInt32(field.value), number != UInt32.max else {
            throw Diagnostic("`\(field.value)` is no value of `\(name)`", at: field.range, notes: ["expected a number"])
        }
        return number
    }

    mutating func takeMode(default standard: UInt32) throws(Diagnostic) -> UInt32 {
        guard let field = try take("mode") else { return standard }
        guard let mode = UInt32(field.value, radix: 8), mode <= 0o7777 else {
            let notes = ["expected an octal number up to 7777"]
            throw Diagnostic("`\(field.value)` is no value of `mode`", at: field.range, notes: notes)
        }
        return mode
    }

    /// The names of a mount's options, in all their forms.
    static func names(type: String) -> [String] {
        let file = ["mode", "uid", "gid"]
        let writable = ["readonly", "readwrite", "ro", "rw"]
        let source = ["source", "from", "src"]
        let own: [String] =
            switch type {
            case "cache": ["id", "sharing"] + source + file
            case "tmpfs": ["size"]
            case "secret": ["id", "required", "env", "source", "src"] + file
            case "ssh": ["id", "required"] + file
            default: source
            }
        return ["type", "target"] + own + writable + ["dst", "destination"]
    }

    static func unknown(_ name: String, type: String, at range: SourceRange) -> Diagnostic {
        let known = names(type: type)
        let near = suggestion(for: name, among: known)
        return Diagnostic(
            "a mount of type \(type) has no option `\(name)`",
            at: range,
            notes: [near.map { "did you mean `\($0)`?" } ?? "it has \(known.joined(separator: ", "))"]
        )
    }

    /// Whether the type is one, and the options are its own.
    func check(type: String, at range: SourceRange) throws(Diagnostic) {
        let types = ["bind", "cache", "tmpfs", "secret", "ssh"]
        guard types.contains(type) else {
            throw Diagnostic(
                "`\(type)` is no type of mount",
                at: range,
                notes: expectation(instead: type, among: types)
            )
        }
        let known = Self.names(type: type)
        for field in fields where !known.contains(field.key) {
            throw Self.unknown(field.key, type: type, at: field.name)
        }
    }
}

extension Planner {
    /// Plans one mount of a step; `others` are those before it.
    mutating func planMount(
        _ mount: RunInstruction.Mount,
        after others: [MountSpec],
        in state: StageState
    ) throws(Diagnostic) -> MountSpec {
        var fields = try MountFields(mount, scope: state.scope)
        let type = try fields.take("type")
        try fields.check(type: type?.value.lowercased() ?? "bind", at: type?.range ?? mount.range)
        let target = try fields.take("target", "dst", "destination")
        let from = mount.fields.last { $0.key.value.lowercased() == "from" }?.value
        let spec: MountSpec
        switch type?.value.lowercased() ?? "bind" {
        case "bind": spec = try planBind(&fields, target: target?.value, from: from, in: state)
        case "cache": spec = try planCache(&fields, target: target?.value, from: from, in: state)
        case "tmpfs":
            let size = try planSize(&fields)
            spec = MountSpec(target: try path(target?.value, fields, in: state), kind: .tmpfs(size: size))
        case "secret": spec = try planSecret(&fields, target: target?.value, in: state)
        default:
            let number = others.count { if case .ssh = $0.kind { true } else { false } }
            let target = target?.value ?? "/run/buildkit/ssh_agent.\(number)"
            spec = try planSSH(&fields, target: target, in: state)
        }
        try takeAccess(&fields, of: spec)
        guard spec.target != "/" else {
            throw Diagnostic(
                "a mount's target cannot be the root directory",
                at: target?.range ?? mount.range,
                notes: ["expected a directory or file below it"]
            )
        }
        return spec
    }

    /// Where a mount goes: without a target to the working directory, as in BuildKit, whose own file relies on it.
    private func path(_ target: String?, _ fields: MountFields, in state: StageState) throws(Diagnostic) -> String {
        if let target, !target.isEmpty { return containerPath(target, in: state.workingDirectory) }
        let path = containerPath(".", in: state.workingDirectory)
        guard path != "/" else {
            throw Diagnostic("the mount needs a target", at: fields.range, notes: ["add `target=PATH`"])
        }
        return path
    }

    private mutating func mountSource(_ from: Word?, in state: StageState) throws(Diagnostic) -> FileSource {
        if let from { return try fileSource(named: from, in: state, what: "the mount's from") }
        return .none
    }

    /// `readonly` and `rw` in all their forms; `nil` where neither was given.
    private func takeWritable(_ fields: inout MountFields) throws(Diagnostic) -> Bool? {
        let readOnly = try fields.takeFlag("readonly", "ro")
        let writable = try fields.takeFlag("readwrite", "rw")
        if let writable { return writable }
        return readOnly.map { !$0 }
    }

    /// Takes `readonly` and `rw` from mounts that are what they are: there they may say only that.
    private func takeAccess(_ fields: inout MountFields, of spec: MountSpec) throws(Diagnostic) {
        let range = fields.range
        guard try takeWritable(&fields) == false, case .tmpfs = spec.kind else { return }
        throw Diagnostic("a tmpfs that cannot be written to is of no use", at: range)
    }

    private mutating func planBind(
        _ fields: inout MountFields,
        target: String?,
        from: Word?,
        in state: StageState
    ) throws(Diagnostic) -> MountSpec {
        let path = try path(target, fields, in: state)
        let source = try fields.take("source", "src")?.value ?? "/"
        let writable = try takeWritable(&fields) ?? false
        var origin = try mountSource(from, in: state)
        if origin == .none {
            guard request.contextPath != nil else {
                throw Diagnostic(
                    "the mount needs a build context, and this build has none",
                    at: fields.range,
                    notes: ["name a directory on the command line, or a stage with `from=`"]
                )
            }
            origin = .context(0)
        }
        return MountSpec(target: path, kind: .bind(source: origin, path: source, writable: writable))
    }

    private mutating func planCache(
        _ fields: inout MountFields,
        target: String?,
        from: Word?,
        in state: StageState
    ) throws(Diagnostic) -> MountSpec {
        let path = try path(target, fields, in: state)
        var sharing = MountSpec.Sharing.shared
        if let field = try fields.take("sharing") {
            guard let known = MountSpec.Sharing(rawValue: field.value.lowercased()) else {
                throw Diagnostic(
                    "`\(field.value)` is no way to share a cache",
                    at: field.range,
                    notes: expectation(instead: field.value, among: ["shared", "private", "locked"])
                )
            }
            sharing = known
        }
        let cache = MountSpec.Cache(
            id: try fields.take("id")?.value ?? path,
            sharing: sharing,
            // A cache begins as an empty directory anyhow.
            source: from?.raw == "scratch" ? .none : try mountSource(from, in: state),
            path: try fields.take("source", "src")?.value ?? "/",
            mode: try fields.takeMode(default: 0o755),
            uid: try fields.takeNumber("uid"),
            gid: try fields.takeNumber("gid"),
            readOnly: try takeWritable(&fields).map { !$0 } ?? false
        )
        return MountSpec(target: path, kind: .cache(cache))
    }

    private func planSize(_ fields: inout MountFields) throws(Diagnostic) -> UInt64? {
        guard let field = try fields.take("size") else { return nil }
        guard let size = ByteSize.parse(field.value) else {
            throw Diagnostic("`\(field.value)` is no size", at: field.range, notes: ["expected 64m or 1g, say"])
        }
        // To the kernel 0 is no limit at all, not even the usual one of half the memory.
        return size == 0 ? nil : size
    }

    private func planSecret(
        _ fields: inout MountFields,
        target: String?,
        in state: StageState
    ) throws(Diagnostic) -> MountSpec {
        var id = try fields.take("id")?.value
        let source = try fields.take("source", "src")?.value
        let environment = try fields.take("env")?.value
        if id == nil, let target { id = target.split(separator: "/").last.map(String.init) }
        guard let id = id ?? source, !id.isEmpty else {
            throw Diagnostic("a secret needs an id or a target", at: fields.range, notes: ["add `id=NAME`"])
        }
        let secret = MountSpec.SecretFile(
            id: id,
            required: try fields.takeFlag("required") ?? false,
            environment: environment,
            isFile: environment == nil || target != nil,
            mode: try fields.takeMode(default: 0o400),
            uid: try fields.takeNumber("uid"),
            gid: try fields.takeNumber("gid")
        )
        let path = containerPath(target ?? "/run/secrets/\(id)", in: state.workingDirectory)
        return MountSpec(target: path, kind: .secret(secret))
    }

    private func planSSH(
        _ fields: inout MountFields,
        target: String,
        in state: StageState
    ) throws(Diagnostic) -> MountSpec {
        let kind = MountSpec.Kind.ssh(
            id: try fields.take("id")?.value ?? "default",
            required: try fields.takeFlag("required") ?? false,
            mode: try fields.takeMode(default: 0o600),
            uid: try fields.takeNumber("uid"),
            gid: try fields.takeNumber("gid")
        )
        let path = containerPath(target, in: state.workingDirectory)
        return MountSpec(target: path, kind: kind)
    }
}

extension RunInstruction.Mount {
    /// The word that says what is to be mounted, where there is one.
    var subject: SourceRange {
        fields.last { ["source", "src", "id"].contains($0.key.value) }?.value?.range ?? range
    }
}

/// Sizes as people write them: `64m`, `1g`, `512kb`.
public enum ByteSize {
    /// The number of bytes, `nil` where the text is no size or too large.
    public static func parse(_ text: String) -> UInt64? {
        let lower = text.lowercased()
        let digits = lower.prefix { $0.isASCII && $0.isNumber }
        guard let number = UInt64(digits) else { return nil }
        let shift: UInt64
        switch lower.dropFirst(digits.count) {
        case "", "b": shift = 0
        case "k", "kb", "kib": shift = 10
        case "m", "mb", "mib": shift = 20
        case "g", "gb", "gib": shift = 30
        case "t", "tb", "tib": shift = 40
        default: return nil
        }
        let (result, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
        return overflow ? nil : result
    }
}
