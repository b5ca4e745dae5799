/// The names of stages.
func checkStageNames(_ context: CheckContext) -> [Finding] {
    var findings: [Finding] = []
    var lines: [String: Int] = [:]
    for stage in context.file.stages {
        guard let name = stage.from.value.name else { continue }
        func report(_ rule: Rule, _ message: String, note: String? = nil) {
            findings.append(Finding(rule, message, at: name.range, in: stage.from.range).noting(note))
        }
        let lower = name.value.asciiLowercased
        if lower != name.value {
            report(.stageNameCasing, "Stage name '\(name.value)' should be lowercase")
        }
        if ["context", "scratch"].contains(lower) {
            report(.reservedStageName, "Stage name should not use the same name as reserved stage \"\(lower)\"")
        }
        if let line = lines.updateValue(name.range.start.line, forKey: lower) {
            report(
                .duplicateStageName,
                "Duplicate stage name \"\(lower)\", stage names should be unique",
                note: "line \(line) names the other one"
            )
        }
    }
    return findings
}

/// The image and the platform of FROM.
func checkFrom(_ context: CheckContext) -> [Finding] {
    let globals = context.globals
    let lookup = StageLookup(file: context.file, globals: globals)
    var findings: [Finding] = []
    for (index, stage) in context.file.stages.enumerated() {
        let from = stage.from.value
        for word in [from.image, from.platform].compactMap({ $0 }) {
            findings += undefinedArguments(of: word, globals: globals, in: stage.from.range)
        }
        let defaults = try? from.image.expand { name in
            if case .text(let text) = globals[name] { text } else { nil }
        }
        if let defaults, from.image.raw.utf8.contains(.dollar), lookup.stage(defaults.text, before: index) == nil,
            !context.input.isImageName(defaults.text), from.image.dependsOnDefaults(globals)
        {
            findings.append(
                Finding(
                    .invalidDefaultArgInFrom,
                    "Default value for ARG \(from.image.raw) results in empty or invalid base image name",
                    at: from.image.range,
                    in: stage.from.range
                )
            )
        }
        if let platform = from.platform {
            findings += checkPlatform(platform, stage: from.name?.value ?? "", in: stage.from.range)
        }
    }
    return findings
}

extension Word {
    /// Whether no automatic argument is in it, whose value only a build knows.
    fileprivate func dependsOnDefaults(_ globals: KnownVariables) -> Bool {
        !variableUses(globals.isDefined).contains { automaticArguments.contains($0.name) }
    }
}

private func undefinedArguments(of word: Word, globals: KnownVariables, in place: SourceRange) -> [Finding] {
    var seen: Set<String> = []
    return word.variableUses(globals.isDefined).compactMap { use in
        guard !use.hasFallback, !globals.isDefined(use.name), seen.insert(use.name).inserted else { return nil }
        let guess = globals.suggestion(for: use.name).map { " (did you mean \($0)?)" } ?? ""
        return Finding(
            .undefinedArgInFrom,
            "FROM argument '\(use.name)' is not declared\(guess)",
            at: use.range,
            in: place
        )
    }
}

private func checkPlatform(_ word: Word, stage: String, in place: SourceRange) -> [Finding] {
    if word.raw == "$TARGETPLATFORM" || word.raw == "${TARGETPLATFORM}" {
        let message = "Setting platform to predefined \(word.raw) in FROM is redundant as this is the default behavior"
        return [Finding(.redundantTargetPlatform, message, at: word.range, in: place)]
    }
    guard !word.raw.utf8.contains(.dollar), let text = word.knownText({ _ in nil }), !text.isEmpty else { return [] }
    // A stage that is named after its platform is meant for it.
    let parts = text.split(separator: "/").prefix(2)
    guard !parts.contains(where: { stage.contains(substring: $0) }) else { return [] }
    return [
        Finding(
            .fromPlatformFlagConstDisallowed,
            "FROM --platform flag should not use constant value \"\(text)\"",
            at: word.range,
            in: place
        )
    ]
}

extension String {
    /// Whether `text` stands anywhere in it.
    func contains(substring text: some StringProtocol) -> Bool {
        let bytes = Array(utf8)
        let wanted = Array(text.utf8)
        guard !wanted.isEmpty, wanted.count <= bytes.count else { return wanted.isEmpty }
        return (0...(bytes.count - wanted.count)).contains { bytes[$0...].starts(with: wanted) }
    }
}
