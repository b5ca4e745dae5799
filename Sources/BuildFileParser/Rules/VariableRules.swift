/// After so many findings no more names are suggested: each costs a look at all that are defined.
private let suggestionLimit = 200

/// Variables that nothing defines where they are used.
func checkVariables(_ context: CheckContext) -> [Finding] {
    let globals = context.globals
    let names = GlobalNames(context, globals: globals)
    var findings: [Finding] = []
    context.walk { visit in
        var seen: Set<String> = []
        for word in visit.instruction.value.expandedWords {
            for use in word.variableUses(visit.scope.variables.isDefined) {
                guard !use.hasFallback, !visit.scope.variables.isDefined(use.name), seen.insert(use.name).inserted
                else { continue }
                let variables = visit.scope.variables
                let guess = findings.count < suggestionLimit ? variables.suggestion(for: use.name) : nil
                findings += undefined(use, at: visit, names: names, guess: guess)
            }
        }
        if case .run(let run) = visit.instruction.value {
            findings += globalArguments(of: run, at: visit, context, names)
        }
    }
    return findings
}

/// The names that are known to FROM alone until a stage declares them.
private struct GlobalNames {
    private let declared: KnownVariables
    /// Those that FROM lines use: a base image may well define the same name.
    private var usedByFrom: Set<String> = []

    init(_ context: CheckContext, globals: KnownVariables) {
        declared = globals
        for stage in context.file.stages {
            for word in [stage.from.value.image, stage.from.value.platform].compactMap({ $0 }) {
                for use in word.variableUses(globals.isDefined) { usedByFrom.insert(use.name) }
            }
        }
    }

    /// Whether the stage surely lacks the variable because its ARG stands above the first FROM.
    func isOutOfScope(_ name: String, in scope: CheckScope) -> Bool {
        guard declared.isDefined(name), !scope.variables.isDefined(name) else { return false }
        return scope.isBaseKnown || !usedByFrom.contains(name)
    }

    func isGlobal(_ name: String) -> Bool { declared.isDefined(name) }

    func note(for name: String) -> String? {
        guard declared.isDefined(name) else { return nil }
        return automaticArguments.contains(name)
            ? "a stage has `\(name)` only after `ARG \(name)`"
            : "an ARG above the first FROM is known to FROM alone: write `ARG \(name)` in the stage as well"
    }
}

/// A base image that is not at hand may define anything: then only what is surely wrong is reported.
private func undefined(_ use: VariableUse, at visit: Visit, names: GlobalNames, guess: String?) -> [Finding] {
    // `$1`, `$@` and the like are no variables of a build file; that is what a shell's are written as by mistake.
    guard let first = use.name.utf8.first, first.isASCIILetter || first == UInt8(ascii: "_") else { return [] }
    let isTypo = guess.map { isOneEditApart($0, use.name) } ?? false
    guard visit.scope.isBaseKnown || isTypo || names.isOutOfScope(use.name, in: visit.scope) else { return [] }
    let question = names.isGlobal(use.name) ? "" : guess.map { " (did you mean $\($0)?)" } ?? ""
    return [
        Finding(
            .undefinedVar,
            "Usage of undefined variable '$\(use.name)'\(question)",
            at: use.range,
            in: visit.instruction.range
        ).noting(names.note(for: use.name))
    ]
}

private func isOneEditApart(_ left: String, _ right: String) -> Bool {
    let (left, right) = (Array(left.utf8), Array(right.utf8))
    guard min(left.count, right.count) >= 4, abs(left.count - right.count) <= 1 else { return false }
    return editDistance(left, right) == 1
}

/// `$NAME` in the text that a shell gets, where the name is an argument of FROM alone.
private func globalArguments(
    of run: RunInstruction,
    at visit: Visit,
    _ context: CheckContext,
    _ names: GlobalNames
) -> [Finding] {
    guard let script = ShellScript(run, at: visit, context) else { return [] }
    var seen: Set<String> = []
    return script.variables.compactMap { use in
        guard !use.hasFallback, names.isOutOfScope(use.name, in: visit.scope), seen.insert(use.name).inserted,
            !script.mayDefine(use.name)
        else { return nil }
        return Finding(
            .globalArgNotInStage,
            "`$\(use.name)` is empty in this RUN: its ARG is outside the stage",
            at: use.range,
            in: visit.instruction.range
        ).noting(names.note(for: use.name))
    }
}

extension Instruction {
    /// The words whose variables a build replaces (Dockerfile reference, "Environment replacement").
    var expandedWords: [Word] {
        switch self {
        case .add(let copy), .copy(let copy):
            var words = [copy.chown, copy.chmod, copy.checksum].compactMap { $0 } + copy.excludes
            for case .path(let path) in copy.sources { words.append(path) }
            return words + [copy.destination]
        case .arg(let arg): return arg.declarations.compactMap(\.defaultValue)
        case .env(let pairs), .label(let pairs): return pairs.flatMap { [$0.key, $0.value] }
        case .expose(let words), .volume(let words): return words
        case .run(let run): return run.mounts.flatMap(\.fields).compactMap(\.value)
        case .stopsignal(let word), .user(let word), .workdir(let word): return [word]
        case .cmd, .entrypoint, .healthcheck, .maintainer, .onbuild, .shell: return []
        }
    }
}
