import BuildFileParser
import OCI
import OrderedCollections

extension Planner {
    /// Plans one instruction: a new step, or a line of the configuration.
    mutating func dispatch(_ instruction: Located<Instruction>, in state: inout StageState) throws(Diagnostic) {
        switch instruction.value {
        case .add(let copy): try planCopy(copy, isAdd: true, in: &state)
        case .copy(let copy): try planCopy(copy, isAdd: false, in: &state)
        case .run(let run): try planRun(run, in: &state)
        case .workdir(let word): try planWorkdir(word, in: &state)
        case .arg(let arg): try declare(arg, in: &state)
        case .env(let pairs): try setEnvironment(pairs, in: &state)
        case .label(let pairs): try setLabels(pairs, in: &state)
        case .cmd(let form): setCommand(form, in: &state)
        case .entrypoint(let form): setEntrypoint(form, in: &state)
        case .expose(let words): try expose(words, in: &state)
        case .volume(let words): try addVolumes(words, in: &state)
        case .user(let word): try setUser(word, in: &state)
        case .stopsignal(let word): try setStopSignal(word, in: &state)
        case .shell(let arguments):
            state.config.runtime.shell = arguments
            state.note(HistoryText.list("SHELL", arguments))
        case .healthcheck(let check): setHealthcheck(check, in: &state)
        case .maintainer(let name):
            state.config.author = name
            state.note("MAINTAINER \(name)")
        case .onbuild(let trigger):
            // A line of the configuration only: it leaves no history, as other builders have it.
            state.config.runtime.onBuild.append(trigger.text)
        }
    }

    private mutating func declare(_ arg: ArgInstruction, in state: inout StageState) throws(Diagnostic) {
        var texts: [String] = []
        var growth = Growth()
        for declaration in arg.declarations {
            let name = declaration.name.value
            declaredArguments.insert(name)
            var value = arguments.givenValue(name)
            // A default that is not needed may ask for what is not there; one that is sees the names before it.
            if value == nil, let word = declaration.defaultValue { value = try word.expand { state.scope[$0] }.text }
            value = value ?? arguments.globalValue(name)
            try growth.add(value ?? "", instead: declaration.defaultValue?.raw ?? "", at: declaration.name.range)
            state.scope.declareArgument(name, value: value)
            texts.append(value.map { "\(name)=\($0)" } ?? name)
        }
        state.note("ARG " + texts.joined(separator: " "))
    }

    private func expanded(
        _ pairs: [KeyValue],
        in scope: VariableScope
    ) throws(Diagnostic) -> [(name: String, value: String)] {
        var result: [(name: String, value: String)] = []
        var growth = Growth()
        for pair in pairs {
            let key = try growth.expand(pair.key, in: scope)
            let value = try growth.expand(pair.value, in: scope)
            result.append((key, value))
        }
        return result
    }

    private func setEnvironment(_ pairs: [KeyValue], in state: inout StageState) throws(Diagnostic) {
        let values = try expanded(pairs, in: state.scope)
        for (pair, value) in zip(pairs, values) {
            guard !value.name.isEmpty else {
                throw Diagnostic(
                    "ENV needs a name before the `=`",
                    at: pair.key.range,
                    notes: ["`\(pair.key.raw)` is empty here: give the variable a value"]
                )
            }
            state.scope.setEnvironment(value.name, to: value.value)
            state.environment[value.name] = value.value
        }
        state.note(HistoryText.pairs("ENV", values))
    }

    private func setLabels(_ pairs: [KeyValue], in state: inout StageState) throws(Diagnostic) {
        let values = try expanded(pairs, in: state.scope)
        for value in values { state.labels[value.name] = value.value }
        state.note(HistoryText.pairs("LABEL", values))
    }

    private func arguments(of form: CommandForm, in state: StageState) -> [String] {
        switch form {
        case .exec(let arguments): arguments
        case .shell(let text): state.shell + [text]
        }
    }

    private func setCommand(_ form: CommandForm, in state: inout StageState) {
        let list = arguments(of: form, in: state)
        state.config.runtime.command = list
        state.hasOwnCommand = true
        state.note(HistoryText.command("CMD", list))
    }

    private func setEntrypoint(_ form: CommandForm, in state: inout StageState) {
        let list = arguments(of: form, in: state)
        state.config.runtime.entrypoint = list
        if !state.hasOwnCommand { state.config.runtime.command = nil }
        state.note(HistoryText.command("ENTRYPOINT", list))
    }

    private func words(_ words: [Word], in scope: VariableScope) throws(Diagnostic) -> [(text: String, word: Word)] {
        var result: [(text: String, word: Word)] = []
        var growth = Growth()
        for word in words {
            for expansion in try word.expandToWords({ scope[$0] }) {
                try growth.add(expansion.text, instead: word.raw, at: word.range)
                result.append((expansion.text, word))
            }
        }
        return result
    }

    /// All there are, of each protocol.
    private static let mostPorts = 3 * 65536

    private func expose(_ list: [Word], in state: inout StageState) throws(Diagnostic) {
        var ports: [String] = []
        // In the order of the words as written, which is how other builders list them.
        for item in try words(list.sorted { $0.raw < $1.raw }, in: state.scope) {
            ports += try PortSpec.expand(item.text, at: item.word.range)
            // Nine bytes of a range are more than 65,000 ports.
            guard ports.count <= Self.mostPorts else {
                throw Diagnostic("EXPOSE lists more than \(Self.mostPorts) ports", at: item.word.range)
            }
        }
        state.config.runtime.expose(ports)
        state.note(HistoryText.list("EXPOSE", ports))
    }

    private func addVolumes(_ list: [Word], in state: inout StageState) throws(Diagnostic) {
        var paths: [String] = []
        var growth = Growth()
        for word in list {
            let path = try growth.expand(word, in: state.scope)
            guard !path.isEmpty else {
                throw Diagnostic(
                    "VOLUME needs a path",
                    at: word.range,
                    notes: ["`\(word.raw)` is empty here: give the variable a value"]
                )
            }
            paths.append(path)
        }
        state.config.runtime.addVolumes(paths)
        state.note(HistoryText.list("VOLUME", paths))
    }

    private func setUser(_ word: Word, in state: inout StageState) throws(Diagnostic) {
        let scope = state.scope
        let user = try word.expand { scope[$0] }.text
        state.config.runtime.user = user
        state.userPlace = state.isTrigger ? nil : word.range
        state.note("USER \(user)")
    }

    private func setStopSignal(_ word: Word, in state: inout StageState) throws(Diagnostic) {
        let scope = state.scope
        let signal = try word.expand { scope[$0] }.text
        guard isKnownSignal(signal) else {
            throw Diagnostic(
                "`\(signal)` is no signal",
                at: word.range,
                notes: expectedSignal(instead: signal)
            )
        }
        state.config.runtime.stopSignal = signal
        state.note("STOPSIGNAL \(signal)")
    }

    private func setHealthcheck(_ check: Healthcheck, in state: inout StageState) {
        let test: [String]
        var options = HealthcheckOptions()
        switch check {
        case .none: test = ["NONE"]
        case .command(.exec(let arguments), let given): (test, options) = (["CMD"] + arguments, given)
        case .command(.shell(let text), let given): (test, options) = (["CMD-SHELL", text], given)
        }
        var members: [String: JSONValue] = ["Test": .strings(test)]
        let times: [(String, Int64?)] = [
            ("Interval", options.interval), ("Timeout", options.timeout), ("StartPeriod", options.startPeriod),
            ("StartInterval", options.startInterval), ("Retries", options.retries.map(Int64.init)),
        ]
        for case (let name, let value?) in times where value != 0 { members[name] = .integer(value) }
        state.config.runtime.healthcheck = .object(members)
        state.note(HistoryText.healthcheck(test: test, options: options))
    }
}
