import BuildFileParser
import OCI

extension Planner {
    // MARK: RUN

    mutating func planRun(_ run: RunInstruction, in state: inout StageState) throws(Diagnostic) {
        let shell = state.shell
        var arguments: [String]
        var scriptFile: String?
        switch run.script {
        case .arguments(let list): arguments = list
        case .shell(let text): arguments = shell + [text]
        case .file(let script):
            arguments = shell + ["/dev/pipes/\(run.heredocs.first?.name ?? "script")"]
            scriptFile = script
        }
        var mounts: [MountSpec] = []
        for mount in run.mounts { mounts.append(try planMount(mount, after: mounts, in: state)) }
        try inheritance.add(step: state.scope.count, at: state.origin)
        let step = RunStep(
            base: state.node,
            arguments: arguments,
            scriptFile: scriptFile,
            environment: state.scope.environment,
            proxyEnvironment: self.arguments.proxies(besides: state.scope),
            user: state.config.runtime.user,
            workingDirectory: state.workingDirectory,
            mounts: mounts,
            network: try network(run, in: state),
            isInsecure: try isInsecure(run, in: state),
            hostname: self.arguments.hostname
        )
        if let device = run.devices.first {
            throw Diagnostic(
                "RUN --device names devices of the Container Device Interface, which swbuild does not have",
                at: device.range,
                notes: ["a device node of the host is given to all steps by `swbuild build --device PATH`"]
            )
        }
        let flags =
            run.mounts.map { "--mount=\($0.text) " }.joined()
            + (run.network.map { "--network=\($0.raw) " } ?? "") + (run.security.map { "--security=\($0.raw) " } ?? "")
        let display = state.nextDisplay(
            "RUN \(flags)\(run.displayText)",
            places: WordPlaces(mounts: run.mounts.map(\.subject))
        )
        var inputs = [state.node]
        for mount in mounts { if let source = mount.sourceNode { inputs.append(source) } }
        state.node = add(.run(step), inputs: inputs, display)
        state.history.append(
            .layer(state.node, createdBy: "RUN \(state.scope.argumentPrefix)\(arguments.joined(separator: " "))")
        )
    }

    private func network(_ run: RunInstruction, in state: StageState) throws(Diagnostic) -> NetworkMode {
        guard let word = run.network else { return request.network }
        let scope = state.scope
        let text = try word.expand { scope[$0] }.text
        guard let mode = NetworkMode(rawValue: text) else {
            throw Diagnostic(
                "unknown network mode `\(text)`",
                at: word.range,
                notes: expectation(instead: text, among: NetworkMode.allCases.map(\.rawValue))
            )
        }
        guard mode != .host || request.network == .host || request.sandbox.allows(.networkHost) else {
            throw Diagnostic(
                "--network=host in the build file is not allowed",
                at: word.range,
                notes: ["give --allow network.host on the command line if the file may use the host's network"]
            )
        }
        return mode == .default ? request.network : mode
    }

    private func isInsecure(_ run: RunInstruction, in state: StageState) throws(Diagnostic) -> Bool {
        guard let word = run.security else { return false }
        let scope = state.scope
        let text = try word.expand { scope[$0] }.text
        switch text {
        case "sandbox": return false
        case "insecure" where request.sandbox.allows(.securityInsecure): return true
        case "insecure":
            throw Diagnostic(
                "--security=insecure is not allowed",
                at: word.range,
                notes: [
                    "give --allow security.insecure on the command line if the file may do to this machine what root may"
                ]
            )
        default:
            throw Diagnostic(
                "unknown security mode `\(text)`",
                at: word.range,
                notes: expectation(instead: text, among: ["sandbox", "insecure"])
            )
        }
    }

    // MARK: WORKDIR

    mutating func planWorkdir(_ word: Word, in state: inout StageState) throws(Diagnostic) {
        let scope = state.scope
        let text = try word.expand { scope[$0] }.text
        let path = containerPath(text, in: state.workingDirectory)
        state.config.runtime.workingDirectory = path
        guard path != "/" else {
            state.stepNumber += 1
            state.note("WORKDIR /")
            return
        }
        let step = MakeDirectoryStep(base: state.node, path: path, user: state.config.runtime.user)
        let display = state.nextDisplay("WORKDIR \(path)", places: WordPlaces(destination: word.range))
        state.node = add(.makeDirectory(step), inputs: [state.node], display)
        state.history.append(.layer(state.node, createdBy: "WORKDIR \(path)"))
    }

    // MARK: COPY and ADD

    mutating func planCopy(
        _ copy: CopyInstruction,
        isAdd: Bool,
        in state: inout StageState
    ) throws(Diagnostic) {
        let scope = state.scope
        var growth = Growth()
        func text(_ word: Word) throws(Diagnostic) -> String { try growth.expand(word, in: scope) }
        func optionalText(_ word: Word?) throws(Diagnostic) -> String? {
            guard let word else { return nil }
            return try text(word)
        }
        let keyword = isAdd ? "ADD" : "COPY"
        var sources: [CopyStep.Source] = []
        var shown: [String] = []
        var places = WordPlaces(
            owner: copy.chown?.range,
            checksum: copy.checksum?.range,
            destination: copy.destination.range
        )
        for source in copy.pathsFirst {
            switch source {
            case .heredoc(let heredoc):
                let content = try heredoc.expand { scope[$0] }
                try growth.add(content, instead: heredoc.content, at: heredoc.range)
                sources.append(.inline(name: heredoc.name, content: content))
                shown.append("<<\(heredoc.name)")
            case .path(let word):
                let path = try text(word)
                let source = try planSource(path, of: copy, word: word, isAdd: isAdd)
                sources.append(source)
                shown.append(source.isRemote ? withoutCredentials(path) : path)
                places.sources[source.name] = word.range
            }
        }
        let destination = try text(copy.destination)
        try checkDestination(destination, of: copy, sources: sources.count, keyword: keyword)
        let from = try copySource(copy, sources: sources, in: state, keyword: keyword)
        var excludes: [String] = []
        for word in copy.excludes { excludes.append(try text(word)) }
        let owner = try optionalText(copy.chown)
        let mode = try optionalText(copy.chmod)
        if let mode { try ModeChange.check(mode, at: copy.chmod?.range) }
        var step = CopyStep(
            base: state.node,
            isAdd: isAdd,
            from: from,
            sources: sources,
            destination: absoluteDestination(destination, in: state),
            owner: owner?.isEmpty == true ? nil : owner,
            mode: mode?.isEmpty == true ? nil : mode,
            excludes: excludes,
            link: copy.link,
            parents: copy.parents,
            unpack: copy.unpack,
            checksum: nil
        )
        if let checksum = try optionalText(copy.checksum) { try set(checksum, of: copy, in: &step) }
        let flags = CopyFlags(copy: copy, owner: owner, mode: mode)
        let operands = (shown + [destination]).joined(separator: " ")
        let display = state.nextDisplay("\(keyword) \(flags.instruction)\(operands)", places: places)
        var inputs = [state.node]
        if case .node(let node) = from { inputs.append(node) }
        state.node = add(.copy(step), inputs: inputs, display)
        state.history.append(.layer(state.node, createdBy: "\(keyword) \(flags.history)\(operands)"))
    }

    private func checkDestination(
        _ destination: String,
        of copy: CopyInstruction,
        sources: Int,
        keyword: String
    ) throws(Diagnostic) {
        guard sources > 1, !isDirectoryName(destination) else { return }
        throw Diagnostic(
            "\(keyword) with more than one source needs a directory as its destination",
            at: copy.destination.range,
            notes: ["end it with a slash: `\(destination)/`"]
        )
    }

    /// An empty one, which a variable may leave, is the working directory.
    private func isDirectoryName(_ path: String) -> Bool {
        path.isEmpty || path.hasSuffix("/") || path == "." || path == ".." || path.hasSuffix("/.")
            || path.hasSuffix("/..")
    }

    private func absoluteDestination(_ destination: String, in state: StageState) -> String {
        let path = containerPath(destination, in: state.workingDirectory)
        return isDirectoryName(destination) && path != "/" ? path + "/" : path
    }

    private mutating func copySource(
        _ copy: CopyInstruction,
        sources: [CopyStep.Source],
        in state: StageState,
        keyword: String
    ) throws(Diagnostic) -> FileSource {
        if let from = copy.from, !from.raw.isEmpty {
            return try fileSource(named: from, in: state, what: "COPY --from")
        }
        let needsContext = sources.contains { if case .path = $0 { true } else { false } }
        guard needsContext else { return .none }
        guard request.contextPath != nil else {
            throw Diagnostic(
                "\(keyword) needs a build context, and this build has none",
                at: copy.sources.firstPath ?? state.origin,
                notes: ["name a directory on the command line: `swbuild -f FILE DIRECTORY`"]
            )
        }
        return .context(0)
    }
}

/// The flags of COPY and ADD as the history and the metadata show them.
private struct CopyFlags {
    let history: String
    let instruction: String

    init(copy: CopyInstruction, owner: String?, mode: String?) {
        let chown = owner.map { "--chown=\($0) " } ?? ""
        let chmod = mode.map { "--chmod=\($0) " } ?? ""
        let parents = copy.parents ? "--parents " : ""
        history = parents + chown + chmod
        instruction =
            (copy.from.map { "--from=\($0.raw) " } ?? "") + (copy.link ? "--link " : "") + parents + chown + chmod
            + copy.excludes.map { "--exclude=\($0.raw) " }.joined()
    }
}

extension CopyInstruction {
    /// Here-documents come after the paths, in the layer as in the history: other builders do it so.
    fileprivate var pathsFirst: [Source] {
        let documents = sources.filter { if case .heredoc = $0 { true } else { false } }
        return sources.filter { if case .path = $0 { true } else { false } } + documents
    }
}

extension RunInstruction {
    /// The command as it is shown.
    var displayText: String {
        switch script {
        case .arguments(let list): "[" + list.map(HistoryText.quoted).joined(separator: ", ") + "]"
        case .shell(let text): text
        case .file(let script): script
        }
    }
}

extension RunInstruction.Mount {
    /// The flag's value as written.
    var text: String {
        fields.map { field in field.value.map { "\(field.key.value)=\($0.raw)" } ?? field.key.value }
            .joined(separator: ",")
    }
}

extension MountSpec {
    /// The step whose files the mount shows.
    var sourceNode: NodeID? {
        switch kind {
        case .bind(.node(let node), _, _): node
        case .cache(let cache):
            if case .node(let node) = cache.source { node } else { nil }
        case .bind, .tmpfs, .secret, .ssh: nil
        }
    }
}

extension [CopyInstruction.Source] {
    /// The place of the first source that is a path.
    fileprivate var firstPath: SourceRange? {
        for case .path(let word) in self { return word.range }
        return nil
    }
}
