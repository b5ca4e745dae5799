import BuildFileParser
import Exec
import LayerDiff
import Store

/// Says of a command that failed what its status means, and where that can be seen, why.
///
/// Only called when a step has failed: it may look at every name of the step's file system.
struct CommandDiagnosis {
    let runner: StepRunner
    let step: RunStep
    /// What the step stands on.
    let stack: LayerStack
    /// What it left.
    let upper: String

    /// What there is to say of a command that ended with a failure.
    func notes(for outcome: StepOutcome, output: [String], shortage: MemoryShortage) -> [String] {
        statusNotes(for: outcome, output: output, shortage: shortage)
            + LimitNotes(limits: runner.environment.sandbox.limits, outcome: outcome).all
    }

    private func statusNotes(for outcome: StepOutcome, output: [String], shortage: MemoryShortage) -> [String] {
        switch outcome.status {
        case .signaled(let signal):
            ["it was ended by \(SignalNames.describe(signal))"] + killed(signal, outcome, shortage)
        case .exited(let code) where code > 128 && code <= 128 + 64:
            ["exit code \(code) stands for \(SignalNames.describe(code - 128))"]
                + killed(code - 128, outcome, shortage)
        case .exited(126):
            explain(output, as: "could not be executed", code: 126)
        case .exited(127): explain(output, as: "was not found", code: 127)
        case .exited: []
        }
    }

    /// What there is to say of a program that could not be executed at all.
    func notes(for error: SandboxError) -> [String] {
        switch error.stage {
        case .execute(let name), .interpreter(let name):
            name.isEmpty ? [] : ((try? fileSystem()).map { explain(command: name, in: $0) } ?? [])
        case .clone, .idMap, .namespace, .operation, .mountSource, .mountPoint, .standardStreams, .credentials,
            .seccomp, .seccompRule, .label, .workingDirectory, .resourceLimit:
            []
        }
    }

    private func killed(_ signal: Int32, _ outcome: StepOutcome, _ shortage: MemoryShortage) -> [String] {
        guard signal == 9 else { return [] }
        let kills = outcome.cgroup?.outOfMemoryKills
        // The notes of the limits say more.
        if let kills, kills > 0 { return [] }
        let peak = StepUsage(outcome).memoryText
        switch kills != nil ? false : shortage.happened {
        case true?:
            return ["the kernel ended a process for want of memory while the step ran (out of memory); \(peak)"]
        case false?: return ["memory did not run out: something else sent the signal; \(peak)"]
        case nil: return ["that may have been for want of memory (see `dmesg`); \(peak)"]
        }
    }

    /// The meaning of a shell's exit code, with the command that the shell has named.
    private func explain(_ output: [String], as problem: String, code: Int) -> [String] {
        guard let command = ShellMessage.command(in: output) else { return ["exit code \(code): a command \(problem)"] }
        let why = (try? fileSystem()).map { explain(command: command, in: $0) } ?? []
        let places = why.isEmpty && !command.contains("/") ? " in PATH (\(searchPath.joined(separator: ":")))" : ""
        return ["exit code \(code): `\(command)` \(problem)\(places)"] + why
    }

    /// The step's root file system as it was when the command ended.
    private func fileSystem() throws -> LayerStack {
        let directory = try Directory(path: upper)
        let changes = try UpperDirectory.changes(in: directory, above: stack, form: runner.store.form)
        return LayerStack(stack.layers + [LayerStack.Layer(index: LayerIndex(changes.map(\.entry))) { directory }])
    }

    // MARK: Why a command cannot be executed

    private func explain(command: String, in files: LayerStack) -> [String] {
        let places = command.contains("/") ? [containerPath(command, in: step.workingDirectory)] : searched(command)
        for place in places {
            let path = (try? files.resolve(ContainerPath(place), followLast: true)) ?? ContainerPath(place)
            guard let found = files.lookup(path), command.contains("/") || !found.entry.isDirectory else { continue }
            return Executable(name: command, found: found, files: files).problem.map { [$0] } ?? []
        }
        return whereElse(command, in: files)
    }

    private var searchPath: [String] {
        let entry = step.environment.last { $0.hasPrefix("PATH=") }
        return (entry?.dropFirst("PATH=".count) ?? "").split(separator: ":").map(String.init)
    }

    private func searched(_ command: String) -> [String] { searchPath.map { "\($0)/\(command)" } }

    private func whereElse(_ command: String, in files: LayerStack) -> [String] {
        let isPath = command.contains("/")
        let name = command.split(separator: "/").last.map(String.init) ?? command
        if !isPath {
            let known = searchPath.flatMap { files.children(of: ContainerPath($0)) }
                .filter { !$0.entry.isDirectory }.map { String(decoding: $0.entry.path.name, as: UTF8.self) }
            if let place = Self.find(name, in: files) {
                return [
                    "`\(command)` is at \(place), which is in no directory of PATH (\(searchPath.joined(separator: ":")))"
                ]
            }
            if let stage = otherStage(with: name) { return ["`\(command)` is not in this stage; \(stage)"] }
            if let near = suggestion(for: name, among: known) {
                return ["`\(command)` is not in the image; did you mean `\(near)`?"]
            }
            return []
        }
        // A relative path may have been meant in a directory that the command went to by itself.
        if let place = Self.find(name, in: files) {
            return ["`\(command)` is not there; did you mean `\(place)`?"]
        }
        if let stage = otherStage(with: name) { return ["`\(command)` is not in this stage; \(stage)"] }
        return command == "/bin/sh" ? ["the image has no shell; `RUN [\"PROGRAM\", \"ARGUMENT\"]` needs none"] : []
    }

    /// Another stage that has an executable of that name, of those that are finished.
    private func otherStage(with name: String) -> String? {
        for id in runner.states.keys.sorted().reversed() {
            let stage = runner.graph.nodes[id.index].display.stage
            guard stage != runner.node.display.stage, let chain = runner.states[id]?.chain,
                let files = try? runner.store.stack(chain), let place = Self.find(name, in: files)
            else { continue }
            return "the stage `\(stage)` has it at \(place)"
        }
        return nil
    }

    /// The first executable file of that name.
    private static func find(_ name: String, in files: LayerStack) -> String? {
        for layer in files.layers {
            for entry in layer.index.entries where entry.path.name.elementsEqual(name.utf8) {
                let path = (try? files.resolve(entry.path, followLast: true)) ?? entry.path
                guard files.lookup(entry.path) != nil, let found = files.lookup(path), case .file = found.entry.kind,
                    found.entry.mode & 0o111 != 0
                else { continue }
                return entry.path.description
            }
        }
        return nil
    }
}
