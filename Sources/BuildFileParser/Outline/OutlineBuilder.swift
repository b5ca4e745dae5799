/// Collects the arguments and mounts of some stages.
struct OutlineBuilder {
    private let context: CheckContext
    private let given: [String: String]
    private(set) var arguments: [Outline.Argument] = []
    private(set) var mounts: [Outline.Mount] = []
    private var indices: [String: Int] = [:]

    init(context: CheckContext, values: [(name: String, value: String)]) {
        self.context = context
        given = Dictionary(values.map { ($0.name, $0.value) }) { $1 }
    }

    mutating func add(_ stages: Set<Int>) {
        let globals = context.globals
        for argument in context.file.globalArguments { declare(argument, values: globals) }
        for index in context.file.stages.indices where stages.contains(index) {
            let from = context.file.stages[index].from.value
            for word in [from.image, from.platform].compactMap({ $0 }) { use(word, globals.isDefined) }
        }
        for argument in context.file.globalArguments {
            for word in argument.value.declarations.compactMap(\.defaultValue) { use(word, globals.isDefined) }
        }
        var declared: Set<String> = []
        let context = context
        context.walk { visit in
            if stages.contains(visit.stage) { add(visit, globals: globals, declared: &declared) }
        }
        // A global argument that neither a FROM nor a stage takes up has no effect on this target.
        arguments = arguments.filter { !$0.uses.isEmpty || declared.contains($0.name) }
    }

    private mutating func add(_ visit: Visit, globals: KnownVariables, declared: inout Set<String>) {
        for word in visit.instruction.value.expandedWords { use(word, visit.scope.variables.isDefined) }
        switch visit.instruction.value {
        case .arg(let arg):
            var values = visit.scope.variables
            for declaration in arg.declarations where !values.isDefined(declaration.name.value) {
                if let value = globals[declaration.name.value] { values.define(declaration.name.value, value) }
            }
            declare(Located(arg, at: visit.instruction.range), values: values)
            declared.formUnion(arg.declarations.map(\.name.value))
        case .run(let run):
            for mount in run.mounts { mounts.append(Outline.Mount(mount, scope: visit.scope)) }
            for use in ShellScript(run, at: visit, context)?.variables ?? [] { record(use) }
        case .add, .cmd, .copy, .entrypoint, .env, .expose, .healthcheck, .label, .maintainer, .onbuild, .shell,
            .stopsignal, .user, .volume, .workdir:
            break
        }
    }

    private mutating func declare(_ arg: Located<ArgInstruction>, values: KnownVariables) {
        for declaration in arg.value.declarations {
            let name = declaration.name.value
            let text = declaration.defaultValue.map { word in word.knownText { values[$0] } ?? word.raw }
            let description = context.spelling(at: arg.range)?.description(of: name)
            guard let index = indices[name] else {
                indices[name] = arguments.count
                arguments.append(
                    Outline.Argument(
                        name: name,
                        description: description,
                        value: given[name] ?? text,
                        range: declaration.name.range,
                        uses: []
                    )
                )
                continue
            }
            arguments[index].value = arguments[index].value ?? text
            arguments[index].description = arguments[index].description ?? description
        }
    }

    private mutating func use(_ word: Word, _ isDefined: (String) -> Bool) {
        for use in word.variableUses(isDefined) { record(use) }
    }

    private mutating func record(_ use: VariableUse) {
        guard let index = indices[use.name] else { return }
        arguments[index].uses.append(use.range)
    }
}

extension Outline.Mount {
    /// What a mount asks for; the defaults are those of the Dockerfile reference, "RUN --mount".
    init(_ mount: RunInstruction.Mount, scope: CheckScope) {
        func text(_ names: String...) -> String? {
            guard let field = mount.fields.last(where: { names.contains($0.key.value) }) else { return nil }
            return field.value.map { word in word.knownText { scope.variables[$0] } ?? word.raw }
        }
        let required = mount.fields.last { $0.key.value == "required" }
        type = text("type") ?? "bind"
        target = text("target", "dst", "destination")
        from = text("from")
        isRequired =
            required.map { $0.value.map { $0.raw.asciiLowercased == "true" || $0.raw == "1" } ?? true } ?? false
        range = mount.range
        switch type {
        case "secret": id = text("id") ?? target?.split(separator: "/").last.map(String.init)
        case "ssh": id = text("id") ?? "default"
        case "cache": id = text("id") ?? target
        default: id = nil
        }
    }
}
