import BuildFileParser
import OCI

/// Where base images come from.
///
/// The planner asks for each image that the target needs, once.
protocol ImageSource {
    /// The image of a reference or layout for a platform.
    func resolve(_ source: NamedContext.Source, platform: Platform) throws -> ResolvedImage
}

/// What the planner makes of a build file: the graph and what the target becomes.
struct BuildPlan: Sendable {
    var graph: BuildGraph
    var result: StageResult
    /// From the build argument or the environment, as text.
    var sourceDateEpoch: String?
    /// What is odd, but no reason to stop.
    var warnings: [Diagnostic] = []
    /// The images that the planned stages stand on, by the number of the stage.
    var baseImages: [Int: BaseImage] = [:]
}

/// Turns a build file into the graph of the steps that its target needs.
///
/// It asks only its image source for anything.
struct Planner {
    let file: BuildFile
    let request: BuildRequest
    private let images: any ImageSource
    var arguments: ArgumentValues
    var graph = BuildGraph()
    /// The names of all ARGs in the stages that were planned, those of triggers included.
    var declaredArguments: Set<String> = []
    private var nodesByIdentity: [NodeIdentity: NodeID] = [:]
    private var planned: [Int: StageState] = [:]
    private var historyBytes = 0
    var inheritance = Inheritance()
    /// The stages' numbers by their names in lower case.
    private let stageNumbers: [String: Int]
    private var imageNodes: [ImageKey: NodeID] = [:]
    private var baseImages: [Int: BaseImage] = [:]

    private struct NodeIdentity: Hashable {
        var operation: Operation
        var ignoresCache: Bool
    }

    private struct ImageKey: Hashable {
        var source: NamedContext.Source
        var platform: Platform
    }

    init(file: BuildFile, request: BuildRequest, images: any ImageSource) throws(Diagnostic) {
        self.file = file
        self.request = request
        self.images = images
        stageNumbers = try file.stages.numbersByName()
        arguments = ArgumentValues(request: request, lastStage: file.stages.last?.from.value.name?.value)
        try arguments.declareGlobals(file.globalArguments)
        if let path = request.contextPath {
            graph.contexts.append(ContextSpec(name: nil, location: .directory(path), ignoreFile: request.ignoreFile))
        }
    }

    /// Plans the steps that the request's target needs.
    /// - Throws: ``Diagnostic``.
    static func plan(
        _ file: BuildFile,
        request: BuildRequest,
        images: any ImageSource
    ) throws(Diagnostic) -> BuildPlan {
        try Frontend.check(file.directives, request: request)
        var planner = try Planner(file: file, request: request, images: images)
        let target = try planner.targetStage()
        // Referenced stages first and from below, so that a long chain of stages needs no deep recursion.
        for index in try planner.neededStages(of: target) { _ = try planner.stage(index) }
        let state = try planner.stage(target)
        return BuildPlan(
            graph: planner.graph,
            result: planner.finish(state),
            sourceDateEpoch: planner.arguments.sourceDateEpoch,
            warnings: planner.warnings(),
            baseImages: planner.baseImages
        )
    }

    // MARK: Stages

    private func targetStage() throws(Diagnostic) -> Int {
        guard let target = request.target, !target.isEmpty else { return file.stages.count - 1 }
        if let index = stageIndex(named: target) { return index }
        if let number = Int(target), file.stages.indices.contains(number) { return number }
        throw Diagnostic("--target \(target): the file has no such stage", at: nil, notes: stageNotes(instead: target))
    }

    /// The stage of that name, above stage `limit` where one is given.
    func stageIndex(named name: String, before limit: Int = .max) -> Int? {
        guard let number = stageNumbers[name.lowercased()], number < limit else { return nil }
        return number
    }

    /// The stages that a stage names, directly or through others, in the order of the file.
    private func neededStages(of target: Int) throws(Diagnostic) -> [Int] {
        var needed: Set<Int> = [target]
        var waiting = [target]
        while let index = waiting.popLast() {
            for name in try referencedNames(of: file.stages[index]) where namedContext(name) == nil {
                let found = stageIndex(named: name, before: index) ?? Int(name)
                guard let found, found < index, found >= 0, needed.insert(found).inserted else { continue }
                waiting.append(found)
            }
        }
        return needed.sorted()
    }

    private func referencedNames(of stage: Stage) throws(Diagnostic) -> [String] {
        var names = [try stage.from.value.image.expand(arguments.globalValue).text]
        for instruction in stage.instructions {
            switch instruction.value {
            case .copy(let copy), .add(let copy):
                if let from = copy.from { names.append(from.raw) }
            case .run(let run):
                for mount in run.mounts {
                    for field in mount.fields where field.key.value.lowercased() == "from" {
                        if let value = field.value { names.append(value.raw) }
                    }
                }
            default: break
            }
        }
        return names
    }

    /// The state at the end of a stage, planned once.
    mutating func stage(_ index: Int) throws(Diagnostic) -> StageState {
        if let state = planned[index] { return state }
        let stage = file.stages[index]
        var state = try begin(stage, index: index)
        let triggers = state.config.runtime.onBuild
        state.config.runtime.onBuild = []
        var instructions: [Located<Instruction>] = []
        for text in triggers {
            do {
                let trigger = try parseTrigger(text)
                instructions.append(trigger)
            } catch {
                throw Self.failure(of: text, error, at: stage.from.value.image)
            }
        }
        state.triggerCount = instructions.count
        instructions += stage.instructions
        state.stepCount = 1 + instructions.count { $0.value.changesFiles }
        for (position, instruction) in instructions.enumerated() {
            state.origin = position < state.triggerCount ? stage.from.range : instruction.range
            state.isTrigger = position < state.triggerCount
            do throws(Diagnostic) {
                try dispatch(instruction, in: &state)
            } catch {
                throw state.isTrigger ? Self.failure(of: triggers[position], error, at: stage.from.value.image) : error
            }
            try state.checkSize(at: state.origin, whole: &historyBytes)
        }
        try inheritance.add(stage: state)
        planned[index] = state
        return state
    }

    /// What is wrong with a trigger is shown at the image that has it: its own words stand nowhere in the file.
    private static func failure(of trigger: String, _ error: Diagnostic, at image: Word) -> Diagnostic {
        Diagnostic(
            "the base image's ONBUILD trigger `\(trigger)` cannot be used: \(error.message)",
            at: image.range,
            notes: error.notes
        )
    }

    private mutating func begin(_ stage: Stage, index: Int) throws(Diagnostic) -> StageState {
        let from = stage.from.value
        let name = try from.image.expand(arguments.globalValue)
        guard !name.text.isEmpty else {
            throw Diagnostic(
                "FROM \(from.image.raw) names no image: \(name.missing.joined(separator: ", ")) has no value",
                at: from.image.range,
                notes: globalNotes(missing: name.missing)
            )
        }
        var platform = request.platform
        if let word = from.platform {
            let text = try word.expand(arguments.globalValue).text
            do throws(MalformedPlatform) {
                platform = try Platform.parse(text)
            } catch {
                throw Diagnostic("`\(text)` is no platform", at: word.range, notes: error.notes)
            }
        }
        let display = StepDisplay(
            name: "FROM \(name.text)",
            instruction: "FROM \(name.text)",
            stage: from.name?.value ?? "stage-\(index)",
            range: stage.from.range,
            ignoresCache: ignoresCache(stage: from.name?.value, index: index)
        )
        if namedContext(name.text) == nil, let base = stageIndex(named: name.text, before: index) {
            var state = try self.stage(base)
            state.beginStage(index: index, display: display)
            return state
        }
        if let context = namedContext(name.text), let location = context.location {
            return contextStage(context.name, location, platform: platform, index: index, display)
        }
        if name.text == "scratch" {
            return StageState.scratch(node: add(.scratch, inputs: [], display), platform: platform, index, display)
        }
        let node = try imageNode(named: name.text, platform: platform, at: from.image.range, display)
        guard case .image(let image) = graph.nodes[node.index].operation else {
            return StageState.scratch(node: node, platform: platform, index, display)
        }
        let state = StageState(node: node, image: graph.images[image], index: index, display: display)
        baseImages[index] = BaseImage(
            name: name.text,
            expected: platform,
            actual: state.config.platform,
            variables: state.scope.names
        )
        return state
    }

    private func ignoresCache(stage name: String?, index: Int) -> Bool {
        switch request.cachePolicy {
        case .use: false
        case .ignore: true
        case .ignoreStages(let stages):
            stages.contains { $0.lowercased() == name?.lowercased() || $0 == "\(index)" || $0 == "stage-\(index)" }
        }
    }

    // MARK: Nodes

    /// Adds a node, or finds the one that does the same already.
    mutating func add(_ operation: Operation, inputs: [NodeID], _ display: StepDisplay) -> NodeID {
        let identity = NodeIdentity(operation: operation, ignoresCache: display.ignoresCache)
        if let node = nodesByIdentity[identity] { return node }
        let id = NodeID(index: graph.nodes.count)
        graph.nodes.append(Node(operation: operation, inputs: inputs, display: display))
        nodesByIdentity[identity] = id
        return id
    }

    /// `--build-context` of that name; a name that could be an image is compared as one.
    func namedContext(_ name: String) -> NamedContext? {
        if let exact = request.namedContexts.last(where: { $0.name == name }) { return exact }
        guard let wanted = try? ImageReference(parsing: name).tagged else { return nil }
        return request.namedContexts.last { context in
            (try? ImageReference(parsing: context.name))?.tagged == wanted
        }
    }

    /// The node of an image by reference or through a named context.
    mutating func imageNode(
        named name: String,
        platform: Platform,
        at range: SourceRange,
        _ display: StepDisplay
    ) throws(Diagnostic) -> NodeID {
        let source: NamedContext.Source
        if let context = namedContext(name) {
            source = context.source
        } else {
            do {
                source = .image(try ImageReference(parsing: name))
            } catch {
                throw Diagnostic(
                    "`\(name)` is no stage, no build context and no image: \(error.explanation)",
                    at: range,
                    notes: suggestions(for: name)
                )
            }
        }
        let key = ImageKey(source: source, platform: platform)
        if let node = imageNodes[key] { return node }
        let image: ResolvedImage
        do {
            image = try images.resolve(source, platform: platform)
        } catch {
            throw Diagnostic("cannot use the image `\(name)`: \(error)", at: range, notes: suggestions(for: name))
        }
        let index = graph.images.firstIndex { $0.descriptor.digest == image.descriptor.digest } ?? graph.images.count
        if index == graph.images.count { graph.images.append(image) }
        let node = add(.image(index), inputs: [], display)
        imageNodes[key] = node
        return node
    }

    /// What a `--from=` or `from=` names, for an instruction of stage `index`.
    mutating func fileSource(
        named word: Word,
        in state: StageState,
        what: String
    ) throws(Diagnostic) -> FileSource {
        let name = word.raw
        guard !name.contains("$") else {
            throw Diagnostic(
                "\(what) takes no variables: `\(name)`",
                at: word.range,
                notes: ["name a stage with `FROM … AS name` and use that name"]
            )
        }
        if let context = namedContext(name), let location = context.location {
            return .context(contextIndex(name: context.name, location))
        }
        if namedContext(name) == nil {
            if let index = stageIndex(named: name) {
                try check(index, isBefore: state.stageIndex, name: name, at: word.range)
                return .node(try stage(index).node)
            }
            if let number = Int(name) {
                guard file.stages.indices.contains(number) else {
                    throw Diagnostic(
                        "\(what) \(name): there is no stage number \(name)",
                        at: word.range,
                        notes: ["the stages are numbered from 0 to \(file.stages.count - 1)"]
                    )
                }
                try check(number, isBefore: state.stageIndex, name: name, at: word.range)
                return .node(try stage(number).node)
            }
        }
        if name.lowercased() == "scratch" {
            throw Diagnostic("\(what) scratch: there is nothing to take from an empty image", at: word.range)
        }
        var display = state.display
        display.name = "FROM \(name)"
        display.instruction = "FROM \(name)"
        return .node(try imageNode(named: name, platform: request.platform, at: word.range, display))
    }

    private func check(
        _ index: Int,
        isBefore current: Int,
        name: String,
        at range: SourceRange
    ) throws(Diagnostic) {
        if index == current {
            throw Diagnostic("the stage `\(name)` cannot copy from itself", at: range)
        }
        guard index < current else {
            throw Diagnostic(
                "the stage `\(name)` comes later in the file",
                at: range,
                notes: ["a stage can use only those above it: move `\(name)` up"]
            )
        }
    }

    mutating func contextIndex(name: String, _ location: ContextSpec.Location) -> Int {
        if let index = graph.contexts.firstIndex(where: { $0.name == name }) { return index }
        graph.contexts.append(ContextSpec(name: name, location: location, ignoreFile: nil))
        return graph.contexts.count - 1
    }

    // MARK: The result

    private func finish(_ state: StageState) -> StageResult {
        var result = StageResult(node: state.node, config: state.finalConfig, history: state.history)
        var labels = result.config.runtime.labels
        for label in request.labels { labels[label.name] = label.value }
        result.config.runtime.labels = labels
        if request.platformIsGiven { result.config.platform = declaredPlatform(over: result.config.platform) }
        return result
    }

    /// The command line's platform; a variant that it leaves open is the image's own.
    private func declaredPlatform(over own: Platform) -> Platform {
        var platform = request.platform
        if platform.variant.isEmpty, own.os == platform.os, own.architecture == platform.architecture {
            platform.variant = own.variant
        }
        return platform
    }
}

extension Instruction {
    /// Whether the instruction is a step of its own, rather than a line of the configuration.
    var changesFiles: Bool {
        switch self {
        case .add, .copy, .run, .workdir: true
        case .arg, .cmd, .entrypoint, .env, .expose, .healthcheck, .label, .maintainer, .onbuild, .shell, .stopsignal,
            .user, .volume:
            false
        }
    }
}
