/// What is known at one instruction of a stage.
struct CheckScope: Sendable {
    /// ARG and ENV so far.
    var variables = KnownVariables()
    /// Whether the base image sets no variable beside those in `variables`.
    var isBaseKnown: Bool
    /// The working directory, where WORKDIR made it known.
    var workingDirectory: String?
    /// Whether this stage or one below it has a WORKDIR.
    var hasWorkingDirectory = false
    /// What SHELL said.
    var shell: [String]?

    /// Takes in what the instruction does to those after it.
    fileprivate mutating func apply(_ instruction: Instruction, globals: KnownVariables) {
        switch instruction {
        case .arg(let arg):
            for declaration in arg.declarations {
                let name = declaration.name.value
                // The command line may replace any default.
                let inherited = variables[name] ?? globals[name]
                let own = declaration.defaultValue.map { $0.knownText { self.variables[$0] } }
                variables.define(name, own.map { $0.map { .text($0) } ?? .unknown } ?? inherited ?? .unknown)
            }
        case .env(let pairs):
            let texts = pairs.map { pair in
                (pair.key.knownText { self.variables[$0] }, pair.value.knownText { self.variables[$0] })
            }
            for case (let key?, let value) in texts { variables.define(key, value.map { .text($0) } ?? .unknown) }
        case .workdir(let word):
            hasWorkingDirectory = true
            workingDirectory = path(word)
        case .shell(let arguments): shell = arguments
        case .add, .cmd, .copy, .entrypoint, .expose, .healthcheck, .label, .maintainer, .onbuild, .run, .stopsignal,
            .user, .volume:
            break
        }
    }

    /// The absolute path that a word means, where that is known.
    func path(_ word: Word) -> String? {
        word.knownText { self.variables[$0] }.flatMap(path)
    }

    /// The absolute path that a text means, where that is known.
    func path(_ text: String) -> String? {
        guard !text.isEmpty else { return nil }
        if text.hasPrefix("/") { return Self.clean(text) }
        return workingDirectory.map { Self.clean("\($0)/\(text)") }
    }

    private static func clean(_ path: String) -> String {
        String(decoding: cleanedPath(Array(path.utf8)[...]), as: UTF8.self)
    }
}

/// An instruction of a stage, and what is known there.
struct Visit {
    var stage: Int
    var instruction: Located<Instruction>
    var scope: CheckScope
}

extension CheckContext {
    /// What the ARG instructions above the first FROM define; their defaults are known, not what replaces them.
    var globals: KnownVariables {
        var result = KnownVariables()
        for name in automaticArguments { result.define(name, .unknown) }
        for instruction in file.globalArguments {
            for declaration in instruction.value.declarations {
                let text = declaration.defaultValue.flatMap { word in word.knownText { result[$0] } }
                result.define(declaration.name.value, text.map { .text($0) } ?? .unknown)
            }
        }
        return result
    }

    /// So many variables are known at the ends of all stages together.
    private static let mostKept = 1_000_000

    /// Goes through all instructions of all stages in the order of the file.
    func walk(_ body: (Visit) -> Void) {
        let globals = globals
        let stages = StageLookup(file: file, globals: globals)
        var ends: [CheckScope] = []
        var kept = 0
        for (index, stage) in file.stages.enumerated() {
            var scope: CheckScope
            if let base = stages.base(of: index) {
                scope = ends[base]
            } else {
                scope = outerScope(of: index, image: stages.imageName(of: index))
            }
            for instruction in stage.instructions {
                body(Visit(stage: index, instruction: instruction, scope: scope))
                scope.apply(instruction.value, globals: globals)
            }
            // Stages that stand on one another all keep what those above them know: together it grows with the square.
            kept += scope.variables.names.count
            if kept > Self.mostKept {
                scope.variables = KnownVariables()
                scope.isBaseKnown = false
            }
            ends.append(scope)
        }
    }

    /// What is known at the beginning of a stage that stands on an image.
    private func outerScope(of index: Int, image: String?) -> CheckScope {
        let names = input.baseVariables[index] ?? image.flatMap(KnownImages.variables)
        var scope = CheckScope(isBaseKnown: names != nil)
        scope.variables.define("PATH", .unknown)
        for name in names ?? [] { scope.variables.define(name, .unknown) }
        return scope
    }
}

/// Which stage a name means where.
struct StageLookup {
    private var bases: [Int?] = []
    private var images: [String?] = []
    private var numbers: [String: [Int]] = [:]

    init(file: BuildFile, globals: KnownVariables) {
        for (index, stage) in file.stages.enumerated() {
            let image = stage.from.value.image.knownText { globals[$0] }
            images.append(image)
            bases.append(image.flatMap { self.stage($0, before: index) })
            if let name = stage.from.value.name { numbers[name.value.asciiLowercased, default: []].append(index) }
        }
    }

    /// The name of the image that FROM names, where it is known.
    func imageName(of stage: Int) -> String? { images[stage] }

    /// The stage that a stage stands on.
    func base(of stage: Int) -> Int? { bases[stage] }

    /// The last stage of this name above stage `index`.
    func stage(_ name: String, before index: Int) -> Int? {
        guard let candidates = numbers[name.asciiLowercased] else { return nil }
        var low = 0
        var high = candidates.count
        while low < high {
            let middle = (low + high) / 2
            if candidates[middle] < index { low = middle + 1 } else { high = middle }
        }
        return low > 0 ? candidates[low - 1] : nil
    }
}

/// Base images that are known to set no variable but PATH.
private enum KnownImages {
    private static let bare = [
        "scratch", "alpine", "busybox", "debian", "ubuntu", "buildpack-deps", "centos", "rockylinux", "almalinux",
        "oraclelinux", "amazonlinux", "hello-world",
    ]

    static func variables(of image: String) -> [String]? {
        var name = Substring(image)
        for prefix in ["docker.io/library/", "docker.io/", "library/"] where name.hasPrefix(prefix) {
            name = name.dropFirst(prefix.count)
            break
        }
        name = name.prefix { $0 != ":" && $0 != "@" }
        return bare.contains(String(name)) ? [] : nil
    }
}
