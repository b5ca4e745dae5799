/// COPY and ADD of what the ignore file leaves out.
func checkCopies(_ context: CheckContext) -> [Finding] {
    guard let rules = context.input.ignoreRules, !rules.isEmpty else { return [] }
    var findings: [Finding] = []
    context.walk { visit in
        let copy: CopyInstruction
        let name: String
        switch visit.instruction.value {
        case .copy(let instruction): (copy, name) = (instruction, "Copy")
        case .add(let instruction): (copy, name) = (instruction, "Add")
        case .arg, .cmd, .entrypoint, .env, .expose, .healthcheck, .label, .maintainer, .onbuild, .run, .shell,
            .stopsignal, .user, .volume, .workdir:
            return
        }
        guard copy.from == nil else { return }
        for case .path(let word) in copy.sources {
            guard let path = ignoredPath(word, visit.scope, rules) else { continue }
            findings.append(
                Finding(
                    .copyIgnoredFile,
                    "Attempting to \(name) file \"\(path.text)\" that is excluded by .dockerignore",
                    at: word.range,
                    in: visit.instruction.range
                ).noting("line \(path.line) of the ignore file leaves it out")
            )
        }
    }
    return findings
}

/// The source's path, where all of it is left out: no pattern, no URL, nothing that an exception brings back.
private func ignoredPath(_ word: Word, _ scope: CheckScope, _ rules: IgnoreRules) -> (text: String, line: Int)? {
    guard let text = word.knownText({ scope.variables[$0] }), !PathPattern.hasWildcards(text),
        !text.contains(substring: "://"), !text.hasPrefix("git@")
    else { return nil }
    var path = cleanedPath(PathPattern.unescaped(Array(text.utf8))[...])
    if path.first == .slash { path.removeFirst() }
    guard !path.isEmpty, path != [UInt8(ascii: ".")], !path.starts(with: "..".utf8) else { return nil }
    let verdict = rules.verdict(for: path)
    guard verdict.ignored, let line = verdict.line, !rules.mayContainExceptions(below: path, ignoredBy: verdict) else {
        return nil
    }
    return (path.text, line)
}
