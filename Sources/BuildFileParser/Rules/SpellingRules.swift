/// Letter case, blank lines, old forms and comments: what changes nothing.
func checkSpelling(_ context: CheckContext) -> [Finding] {
    var findings: [Finding] = []
    let majority = Casing.majority(of: context.file.spellings)
    var isInStage = false
    for spelling in context.file.spellings {
        let keyword = spelling.keyword
        isInStage = isInStage || keyword.value.asciiUppercased == Keyword.from.rawValue
        // Like BuildKit, the ARGs above the first FROM are left out.
        if isInStage, keyword.value != majority.applied(to: keyword.value) {
            findings.append(
                Finding(
                    .consistentInstructionCasing,
                    "Command '\(keyword.value)' should match the case of the command majority (\(majority.rawValue))",
                    at: keyword.range,
                    in: spelling.range
                )
            )
        }
        if let word = spelling.asKeyword, !haveSameCase(keyword.value, word.value) {
            findings.append(
                Finding(
                    .fromAsCasing,
                    "'\(word.value)' and '\(keyword.value)' keywords' casing do not match",
                    at: word.range,
                    in: spelling.range
                )
            )
        }
        if let blank = spelling.line.blankLine { findings.append(emptyContinuation(blank, in: spelling)) }
        if spelling.isOldForm {
            let name = keyword.value.asciiUppercased
            findings.append(
                Finding(
                    .legacyKeyValueFormat,
                    "\"\(name) key=value\" should be used instead of legacy \"\(name) key value\" format",
                    at: spelling.line.sourceRange(spelling.body),
                    in: spelling.range
                ).noting(strayEqualsSign(in: spelling))
            )
        }
    }
    return findings + context.file.descriptions(context)
}

/// `ENV A = b` gives A the value `= b`, which nobody means.
private func strayEqualsSign(in spelling: Spelling) -> String? {
    let words = spelling.bodyBytes.split(maxSplits: 1, whereSeparator: { $0 == 0x20 || $0 == 0x09 })
    guard words.count == 2, words[1].first == UInt8(ascii: "=") else { return nil }
    let name = String(decoding: words[0].prefix(100), as: UTF8.self)
    return "the value of `\(name)` begins with the equals sign; write `\(name)=value` without blanks around it"
}

/// BuildKit reports the last line of the instruction; the caret shows the blank one.
private func emptyContinuation(_ blank: SourcePosition, in spelling: Spelling) -> Finding {
    let last = SourcePosition(line: spelling.line.lastLine, column: 1)
    return Finding(
        .noEmptyContinuation,
        "Empty continuation line",
        at: SourceRange(start: blank, end: blank),
        in: SourceRange(start: last, end: last)
    )
}

/// Where FROM is in mixed case, that is another rule's finding.
private func haveSameCase(_ from: String, _ word: String) -> Bool {
    if from == from.asciiUppercased { return word == word.asciiUppercased }
    if from == from.asciiLowercased { return word == word.asciiLowercased }
    return true
}

private enum Casing: String {
    case lower = "lowercase"
    case upper = "uppercase"

    func applied(to name: String) -> String {
        switch self {
        case .lower: name.asciiLowercased
        case .upper: name.asciiUppercased
        }
    }

    static func majority(of spellings: [Spelling]) -> Casing {
        var lower = 0
        var upper = 0
        let first = spellings.firstIndex { $0.keyword.value.asciiUppercased == Keyword.from.rawValue }
        for spelling in spellings[(first ?? 0)...] {
            let name = spelling.keyword.value
            if name == name.asciiLowercased { lower += 1 }
            if name == name.asciiUppercased { upper += 1 }
        }
        return lower > upper ? .lower : .upper
    }
}

extension BuildFile {
    /// Comments above ARG and FROM that do not begin with the name that they describe.
    fileprivate func descriptions(_ context: CheckContext) -> [Finding] {
        var findings: [Finding] = []
        func check(_ keyword: Keyword, _ names: [String], at range: SourceRange) {
            guard let comment = context.spelling(at: range)?.line.comments.last, let first = names.first else { return }
            let word = comment.value.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false).first
            guard !names.contains(where: { word.map(String.init) == $0 }) else { return }
            let name = names.count == 1 ? first : "<arg_key>"
            findings.append(
                Finding(
                    .invalidDefinitionDescription,
                    "Comment for \(keyword.rawValue) should follow the format: `# \(name) <description>`",
                    at: comment.range,
                    in: range
                ).noting("put a blank line below the comment if it describes something else")
            )
        }
        for arg in globalArguments { check(.arg, arg.value.declarations.map(\.name.value), at: arg.range) }
        for stage in stages {
            check(.from, stage.from.value.name.map { [$0.value] } ?? [], at: stage.from.range)
            for instruction in stage.instructions {
                guard case .arg(let arg) = instruction.value else { continue }
                check(.arg, arg.declarations.map(\.name.value), at: instruction.range)
            }
        }
        return findings
    }
}
