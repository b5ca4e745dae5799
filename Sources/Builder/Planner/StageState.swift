import BuildFileParser
import OCI
import OrderedCollections

/// Where the planner stands in a stage.
struct StageState: Sendable {
    /// The last step.
    var node: NodeID
    var config: ImageConfig
    var history: [StageResult.HistoryItem]
    var scope = VariableScope()
    /// What ENV and LABEL have set, for the configuration at the end: it would be copied for each of them.
    var environment: OrderedDictionary<String, String> = [:]
    var labels: [String: String] = [:]
    /// Whether CMD was given in this stage: ENTRYPOINT drops one that was inherited.
    var hasOwnCommand = false
    var stageIndex: Int
    var display: StepDisplay
    var stepNumber = 1
    var stepCount = 1
    var triggerCount = 0
    /// The bytes of the history's lines that were checked, and how many lines those are.
    private var checked = (bytes: 0, lines: 0)
    /// As much as a build file may have itself.
    private static let largestWhole = 64 << 20
    /// The place of the instruction being planned.
    var origin: SourceRange?
    /// Whether that is a trigger of the base image, whose words stand nowhere in the file.
    var isTrigger = false
    /// The `USER` in force, where the file has one.
    var userPlace: SourceRange?

    static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// A stage on an image.
    init(node: NodeID, image: ResolvedImage, index: Int, display: StepDisplay) {
        self.node = node
        config = image.config
        history = image.config.history.map { .inherited($0) }
        stageIndex = index
        self.display = display
        for entry in config.runtime.environment {
            let pair = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            scope.setEnvironment(String(pair[0]), to: pair.count > 1 ? String(pair[1]) : "")
        }
        if scope["PATH"] == nil {
            scope.setEnvironment("PATH", to: Self.defaultPath)
            config.runtime.setEnvironment("PATH", to: Self.defaultPath)
        }
    }

    /// A stage on nothing.
    static func scratch(node: NodeID, platform: Platform, _ index: Int, _ display: StepDisplay) -> StageState {
        var config = ImageConfig(platform: platform)
        config.runtime.workingDirectory = "/"
        config.runtime.setEnvironment("PATH", to: defaultPath)
        return StageState(node: node, emptyConfig: config, index: index, display: display)
    }

    private init(node: NodeID, emptyConfig: ImageConfig, index: Int, display: StepDisplay) {
        self.node = node
        config = emptyConfig
        history = []
        stageIndex = index
        self.display = display
        scope.setEnvironment("PATH", to: Self.defaultPath)
    }

    /// Goes on from the end of another stage.
    mutating func beginStage(index: Int, display: StepDisplay) {
        stageIndex = index
        self.display = display
        hasOwnCommand = false
        stepNumber = 1
    }

    var workingDirectory: String {
        config.runtime.workingDirectory.isEmpty ? "/" : config.runtime.workingDirectory
    }

    var shell: [String] { config.runtime.shell ?? ["/bin/sh", "-c"] }

    /// The configuration with all that was set.
    var finalConfig: ImageConfig {
        var result = config
        if !environment.isEmpty {
            result.runtime.setEnvironment(environment.map { (name: $0.key, value: $0.value) })
        }
        if !labels.isEmpty { result.runtime.labels.merge(labels) { _, last in last } }
        return result
    }

    /// The display of the next step.
    mutating func nextDisplay(_ instruction: String, places: WordPlaces) -> StepDisplay {
        stepNumber += 1
        var result = display
        result.instruction = instruction
        result.name = "[\(display.stage) \(stepNumber)/\(stepCount)] \(instruction)"
        result.range = origin
        result.places = isTrigger ? WordPlaces() : places
        result.places.user = userPlace
        return result
    }

    /// Refuses values that multiply: every one of them stands in a line of the history.
    ///
    /// `whole` is what all stages of the file have made of it.
    mutating func checkSize(at range: SourceRange?, whole: inout Int) throws(Diagnostic) {
        let before = checked.bytes
        for item in history[min(checked.lines, history.count)...] {
            switch item {
            case .inherited: continue
            case .metadata(let text, _), .layer(_, let text): checked.bytes += text.utf8.count
            }
        }
        checked.lines = history.count
        guard checked.bytes <= JSONValue.largestDocument else { throw Growth.diagnostic(at: range) }
        whole += checked.bytes - before
        guard whole <= Self.largestWhole else {
            throw Diagnostic("the configurations of all stages together grow beyond 64 MiB", at: range)
        }
    }

    mutating func note(_ createdBy: String) {
        history.append(.metadata(createdBy: createdBy, at: origin))
    }
}

/// A path of the container made absolute and clean, by its text alone.
func containerPath(_ path: String, in directory: String) -> String {
    var components: [Substring] = path.hasPrefix("/") ? [] : directory.split(separator: "/")
    for component in path.split(separator: "/") {
        switch component {
        case ".": continue
        case "..": _ = components.popLast()
        default: components.append(component)
        }
    }
    return "/" + components.joined(separator: "/")
}
