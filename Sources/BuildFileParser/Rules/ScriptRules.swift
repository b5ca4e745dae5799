/// What RUN does: lost failures, files written twice, package lists left behind.
func checkScripts(_ context: CheckContext) -> [Finding] {
    var findings: [Finding] = []
    let shipped = context.shippedStages
    var copies: [CopiedPath] = []
    var stage = -1
    context.walk { visit in
        if visit.stage != stage {
            stage = visit.stage
            copies = []
        }
        switch visit.instruction.value {
        case .copy(let copy), .add(let copy):
            guard copies.count < CopiedPath.limit, let path = visit.scope.path(copy.destination) else { return }
            copies.append(
                CopiedPath(
                    path: path,
                    line: visit.instruction.range.start.line,
                    setsOwner: copy.chown != nil,
                    setsMode: copy.chmod != nil
                )
            )
        case .run(let run):
            findings += lostFailures(of: run, visit)
            guard let script = ShellScript(run, at: visit, context) else { return }
            findings += ownershipChanges(in: script, run, visit, copies)
            if shipped.contains(visit.stage) { findings += leftPackageLists(script, run, visit) }
        case .arg, .cmd, .entrypoint, .env, .expose, .healthcheck, .label, .maintainer, .onbuild, .shell, .stopsignal,
            .user, .volume, .workdir:
            break
        }
    }
    return findings
}

/// Where a COPY put files.
private struct CopiedPath {
    var path: String
    var line: Int
    var setsOwner: Bool
    var setsMode: Bool

    /// So many copies of a stage are looked at: each RUN is compared with all of them.
    static let limit = 1000
}

// MARK: Owner and mode

private func ownershipChanges(
    in script: ShellScript,
    _ run: RunInstruction,
    _ visit: Visit,
    _ copies: [CopiedPath]
) -> [Finding] {
    let changesDirectory = script.commands.contains { $0.call?.name == "cd" || $0.call?.name == "pushd" }
    var findings: [Finding] = []
    for command in script.commands {
        guard let call = command.call, ["chown", "chmod"].contains(call.name), isRecursive(call.arguments) else {
            continue
        }
        let isOwner = call.name == "chown"
        for operand in call.arguments.filter({ !$0.hasPrefix("-") }).dropFirst() {
            guard !PathPattern.hasWildcards(operand), !changesDirectory || operand.hasPrefix("/"),
                !operand.contains("`"),
                let path = visit.scope.path(Word(raw: operand, range: visit.instruction.range)),
                !run.hasMount(above: path, visit.scope),
                let copy = copies.first(where: { copy in
                    (isOwner ? !copy.setsOwner : !copy.setsMode) && isBelow(copy.path, path)
                })
            else { continue }
            findings.append(
                Finding(
                    .recursiveOwnershipChange,
                    "`\(call.name) -R` writes again what line \(copy.line) copied to \(copy.path)",
                    at: script.place(of: command.range),
                    in: visit.instruction.range
                ).noting("set it in the copy: --\(call.name)=…, and the files are in one layer only")
            )
            break
        }
    }
    return findings
}

private func isRecursive(_ arguments: ArraySlice<String>) -> Bool {
    arguments.contains { argument in
        argument == "--recursive"
            || (argument.hasPrefix("-") && !argument.hasPrefix("--") && argument.dropFirst().contains("R")
                && argument.dropFirst().utf8.allSatisfy(\.isASCIILetter))
    } && !arguments.contains { $0.hasPrefix("--reference") || $0.hasPrefix("--from") }
}

private func isBelow(_ path: String, _ directory: String) -> Bool {
    path == directory || directory == "/" || path.hasPrefix(directory + "/")
}

extension RunInstruction {
    /// Whether a mount hides the path.
    fileprivate func hasMount(above path: String, _ scope: CheckScope) -> Bool {
        mountTargets(scope).contains { isBelow(path, $0) }
    }

    fileprivate func mountTargets(_ scope: CheckScope) -> [String] {
        mounts.flatMap(\.fields).filter { ["target", "dst", "destination"].contains($0.key.value) }
            .compactMap { $0.value.flatMap(scope.path) }
    }
}

// MARK: Package lists

/// Only `apt-get update` in the same step makes the lists that stay.
private func leftPackageLists(_ script: ShellScript, _ run: RunInstruction, _ visit: Visit) -> [Finding] {
    func apt(_ verb: String) -> ShellCommand? {
        script.commands.first { command in
            guard let call = command.call else { return false }
            return ["apt-get", "apt"].contains(call.name) && call.arguments.contains(verb)
        }
    }
    guard apt("update") != nil, let install = apt("install"), apt("dist-clean") == nil, apt("distclean") == nil else {
        return []
    }
    let mentions = script.commands.contains { command in
        command.words.contains { $0.contains(substring: "/var/lib") || $0.contains(substring: "apt/lists") }
    }
    let lists = "/var/lib/apt/lists"
    let isMounted = run.mountTargets(visit.scope).contains { isBelow(lists, $0) }
    guard !mentions, !isMounted else { return [] }
    return [
        Finding(
            .aptWithoutCleanup,
            "the package lists in \(lists) stay in the layer",
            at: script.place(of: install.range),
            in: visit.instruction.range
        ).noting("end with `&& rm -rf \(lists)/*`, or use RUN --mount=type=cache,target=\(lists)")
    ]
}

extension CheckContext {
    /// The stages whose layers are in the image: the one that is built, and those that it stands on.
    fileprivate var shippedStages: Set<Int> {
        let lookup = StageLookup(file: file, globals: globals)
        var shipped: Set<Int> = []
        var stage = try? file.stageIndex(of: input.target)
        while let current = stage, shipped.insert(current).inserted { stage = lookup.base(of: current) }
        return shipped
    }
}

extension Stage {
    /// What `--from` and `from=` of its instructions name.
    var sourceNames: [String] {
        instructions.flatMap { instruction -> [String] in
            switch instruction.value {
            case .copy(let copy), .add(let copy): copy.from.map { [$0.raw] } ?? []
            case .run(let run):
                run.mounts.flatMap(\.fields).filter { $0.key.value == "from" }.compactMap { $0.value?.raw }
            case .arg, .cmd, .entrypoint, .env, .expose, .healthcheck, .label, .maintainer, .onbuild, .shell,
                .stopsignal, .user, .volume, .workdir:
                []
            }
        }
    }
}
