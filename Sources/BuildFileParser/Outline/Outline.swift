/// What a build of a target can be given: its arguments, and what its steps mount.
public struct Outline: Sendable, Hashable {
    /// An ARG.
    public struct Argument: Sendable, Hashable {
        /// The name.
        public var name: String
        /// What the comment above it says, `# name description`.
        public var description: String?
        /// The default, or what the command line gives; `nil` where there is none.
        public var value: String?
        /// Its first declaration.
        public var range: SourceRange
        /// Where the stages of the target use it, in the order of the file.
        public var uses: [SourceRange]
    }

    /// A `RUN --mount`.
    public struct Mount: Sendable, Hashable {
        /// `bind`, `cache`, `tmpfs`, `secret` or `ssh`.
        public var type: String
        /// What a secret, an agent or a cache is called.
        public var id: String?
        /// Where it is seen.
        public var target: String?
        /// The stage, context or image of `from`.
        public var from: String?
        /// Whether the step fails without it.
        public var isRequired: Bool
        /// The flag's value.
        public var range: SourceRange
    }

    /// The target's name, or its number.
    public var name: String
    /// What the comment above its FROM says.
    public var description: String?
    /// In the order of their first declarations.
    public var arguments: [Argument]
    /// In the order of the file.
    public var mounts: [Mount]

    /// Secrets, each once.
    public var secrets: [Mount] { unique("secret") }
    /// Agents, each once.
    public var agents: [Mount] { unique("ssh") }
    /// Caches, each once.
    public var caches: [Mount] { unique("cache") }

    private func unique(_ type: String) -> [Mount] {
        var result: [Mount] = []
        var seen: [String: Int] = [:]
        for mount in mounts where mount.type == type {
            let id = mount.id ?? ""
            if let index = seen[id] {
                result[index].isRequired = result[index].isRequired || mount.isRequired
            } else {
                seen[id] = result.count
                result.append(mount)
            }
        }
        return result
    }
}

/// A stage as something to build.
public struct TargetDescription: Sendable, Hashable {
    /// Its number, from 0 on.
    public var index: Int
    /// Its name, `nil` where it has none.
    public var name: String?
    /// What the comment above its FROM says.
    public var description: String?
    /// The image or stage that it stands on, as written where it is not known.
    public var base: String
    /// `--platform` as written.
    public var platform: String?
    /// Whether it is what a build without `--target` builds.
    public var isDefault: Bool
    /// Its FROM.
    public var range: SourceRange
}

extension BuildFile {
    /// All stages, in the order of the file.
    public func targetDescriptions() -> [TargetDescription] {
        let context = CheckContext(file: self, input: CheckInput { _ in true })
        let globals = context.globals
        return stages.enumerated().map { index, stage in
            let from = stage.from.value
            return TargetDescription(
                index: index,
                name: from.name?.value,
                description: from.name.flatMap { context.spelling(at: stage.from.range)?.description(of: $0.value) },
                base: from.image.knownText { globals[$0] } ?? from.image.raw,
                platform: from.platform?.raw,
                isDefault: index == stages.count - 1,
                range: stage.from.range
            )
        }
    }

    /// What a build of `target` (the last stage where it is `nil`) can be given.
    ///
    /// `values` are the build arguments of the command line; of two with the same name the later counts.
    ///
    /// - Throws: that there is no such stage.
    public func outline(
        target: String?,
        values: [(name: String, value: String)] = []
    ) throws(Diagnostic) -> Outline {
        let context = CheckContext(file: self, input: CheckInput { _ in true })
        let index = try stageIndex(of: target)
        var builder = OutlineBuilder(context: context, values: values)
        builder.add(stagesNeeded(by: index, globals: context.globals))
        let stage = stages[index]
        let name = stage.from.value.name?.value
        return Outline(
            name: name ?? "\(index)",
            description: name.flatMap { context.spelling(at: stage.from.range)?.description(of: $0) },
            arguments: builder.arguments,
            mounts: builder.mounts
        )
    }

    /// The number of the stage that a target names; the last one's for none.
    func stageIndex(of target: String?) throws(Diagnostic) -> Int {
        guard let target, !target.isEmpty else { return stages.count - 1 }
        let wanted = target.asciiLowercased
        if let index = stages.lastIndex(where: { $0.from.value.name?.value.asciiLowercased == wanted }) { return index }
        if let number = Int(target), stages.indices.contains(number) { return number }
        let names = stages.compactMap { $0.from.value.name?.value }
        throw Diagnostic(
            "there is no stage `\(target)`",
            at: nil,
            notes: suggestion(for: target, among: names).map { ["did you mean `\($0)`?"] } ?? []
        )
    }

    /// A stage and those that it names, directly or through others.
    private func stagesNeeded(by index: Int, globals: KnownVariables) -> Set<Int> {
        let lookup = StageLookup(file: self, globals: globals)
        var needed: Set<Int> = [index]
        var waiting = [index]
        while let current = waiting.popLast() {
            var found = stages[current].sourceNames.compactMap { lookup.stage($0, before: current) ?? Int($0) }
            if let base = lookup.base(of: current) { found.append(base) }
            for stage in found where stage >= 0 && stage < current && needed.insert(stage).inserted {
                waiting.append(stage)
            }
        }
        return needed
    }
}
