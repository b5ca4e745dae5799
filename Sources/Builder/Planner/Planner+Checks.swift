import BuildFileParser
import OCI

extension Planner {
    /// What the request asks for in vain.
    func warnings() -> [Diagnostic] {
        unusedArguments() + unknownFilters()
    }

    /// Build arguments that no ARG declares.
    private func unusedArguments() -> [Diagnostic] {
        var declared = declaredArguments.union(file.globalArguments.flatMap { $0.value.names })
        for stage in file.stages {
            for case .arg(let arg) in stage.instructions.map(\.value) { declared.formUnion(arg.names) }
        }
        let names = declared.sorted()
        var seen: Set<String> = []
        return request.buildArguments.map(\.name).filter { name in
            !declared.contains(name) && !ArgumentValues.needsNoDeclaration(name) && seen.insert(name).inserted
        }.map { name in
            let near = suggestion(for: name, among: names)
            return Diagnostic(
                "--build-arg \(name) is not used: no ARG declares it",
                at: nil,
                notes: near.map { ["did you mean `\($0)`?"] } ?? []
            )
        }
    }

    /// Stages in `--no-cache-filter` that the file does not have.
    private func unknownFilters() -> [Diagnostic] {
        guard case .ignoreStages(let names) = request.cachePolicy else { return [] }
        return names.filter { name in
            let number = Int(name.hasPrefix("stage-") ? name.dropFirst("stage-".count) : name[...])
            return stageIndex(named: name) == nil && !(number.map(file.stages.indices.contains) ?? false)
        }.map { name in
            Diagnostic(
                "--no-cache-filter \(name): the file has no such stage",
                at: nil,
                notes: stageNotes(instead: name)
            )
        }
    }

    /// Which stage may have been meant, or which there are.
    func stageNotes(instead name: String) -> [String] {
        let names = file.stages.compactMap { $0.from.value.name?.value }
        if names.isEmpty { return ["no stage of the file has a name; they are numbered from 0"] }
        let near = suggestion(for: name, among: names).map { ["did you mean `\($0)`?"] } ?? []
        let more = names.count > 20 ? ", …" : ""
        return near + ["the stages are \(names.prefix(20).joined(separator: ", "))\(more)"]
    }

    /// What may help where a name is neither stage nor image: one that is nearly the same, or a stage further down.
    func suggestions(for name: String) -> [String] {
        if stageIndex(named: name) != nil {
            return ["a stage `\(name)` comes later in the file: a stage can use only those above it"]
        }
        // What is wrong with a context that is there is not its name.
        guard namedContext(name) == nil else { return [] }
        let names = file.stages.compactMap { $0.from.value.name?.value } + request.namedContexts.map(\.name)
        return suggestion(for: name, among: names).map { ["did you mean `\($0)`?"] } ?? []
    }

    /// What may help where a FROM has variables without a value.
    func globalNotes(missing: [String]) -> [String] {
        let names = file.globalArguments.flatMap { $0.value.names }
        for name in missing where !names.contains(name) {
            if let near = suggestion(for: name, among: names) { return ["did you mean `$\(near)`?"] }
        }
        return ["give it a default with ARG before the first FROM, or a value with --build-arg"]
    }
}

extension ArgInstruction {
    fileprivate var names: [String] { declarations.map(\.name.value) }
}

/// The frontend image that a file names in its `# syntax=` directive.
///
/// Every version of Docker's own Dockerfile frontend is the language that swbuild itself reads; nothing is fetched.
enum Frontend {
    private static let known = ["docker/dockerfile", "docker/dockerfile-upstream"]

    static func check(_ directives: Directives, request: BuildRequest) throws(Diagnostic) {
        if let given = request.buildArguments.last(where: { $0.name == "BUILDKIT_SYNTAX" }) {
            try check(
                given.value,
                what: "the build argument BUILDKIT_SYNTAX asks for the frontend `\(given.value)`",
                at: nil
            )
        } else if let syntax = directives.syntax {
            // What follows the name is for the frontend, as BuildKit has it.
            let name = String(syntax.value.prefix { $0 != " " && $0 != "\t" })
            var range = syntax.range
            range.end.column = range.start.column + name.utf8.count
            try check(name, what: "the file asks for the frontend `\(name)`", at: range)
        }
    }

    private static func check(_ name: String, what: String, at range: SourceRange?) throws(Diagnostic) {
        let reference = try? ImageReference(parsing: name)
        if let reference, reference.registry == "docker.io", known.contains(reference.repository) { return }
        throw Diagnostic(
            "\(what), which swbuild cannot run",
            at: range,
            notes: [
                "swbuild reads the language of docker/dockerfile itself, whatever the tag; other frontends need BuildKit"
            ]
        )
    }
}
