/// CMD, ENTRYPOINT, HEALTHCHECK, WORKDIR, EXPOSE and MAINTAINER.
func checkConfiguration(_ context: CheckContext) -> [Finding] {
    var findings: [Finding] = []
    var last: [Keyword: SourceRange] = [:]
    var stage = -1
    context.walk { visit in
        if visit.stage != stage {
            stage = visit.stage
            last = [:]
        }
        let place = visit.instruction.range
        switch visit.instruction.value {
        case .cmd(let form):
            findings += only(.cmd, at: place, last: &last, context)
            findings += shellForm(form, .cmd, visit, context)
        case .entrypoint(let form):
            findings += only(.entrypoint, at: place, last: &last, context)
            findings += shellForm(form, .entrypoint, visit, context)
        case .healthcheck: findings += only(.healthcheck, at: place, last: &last, context)
        case .workdir(let word): findings += relativePath(word, visit)
        case .expose(let words): findings += words.flatMap { checkPort($0, visit) }
        case .maintainer:
            let keyword = context.keyword(at: place, "MAINTAINER")
            findings.append(
                Finding(
                    .maintainerDeprecated,
                    "Maintainer instruction is deprecated in favor of using label",
                    at: keyword.range,
                    in: place
                ).noting("write LABEL org.opencontainers.image.authors=…")
            )
        case .add, .arg, .copy, .env, .label, .onbuild, .run, .shell, .stopsignal, .user, .volume: break
        }
    }
    return findings
}

/// Of several, the earlier one is reported: it is the one without effect.
private func only(
    _ keyword: Keyword,
    at place: SourceRange,
    last: inout [Keyword: SourceRange],
    _ context: CheckContext
) -> [Finding] {
    guard let earlier = last.updateValue(place, forKey: keyword) else { return [] }
    let message =
        "Multiple \(keyword.rawValue) instructions should not be used in the same stage because only the last one"
        + " will be used"
    let words = context.keyword(at: earlier, keyword.rawValue)
    return [
        Finding(.multipleInstructionsDisallowed, message, at: words.range, in: earlier)
            .noting("line \(place.start.line) replaces it")
    ]
}

/// Who names a shell wants it.
private func shellForm(
    _ form: CommandForm,
    _ keyword: Keyword,
    _ visit: Visit,
    _ context: CheckContext
) -> [Finding] {
    guard case .shell = form, visit.scope.shell == nil else { return [] }
    let place = visit.instruction.range
    let body = context.spelling(at: place).map { $0.line.sourceRange($0.body) }
    let message =
        "JSON arguments recommended for \(keyword.rawValue) to prevent unintended behavior related to OS signals"
    let isLikeJSON = context.spelling(at: place)?.bodyBytes.first == UInt8(ascii: "[")
    return [
        Finding(.jsonArgsRecommended, message, at: body ?? place, in: place)
            .noting(
                isLikeJSON
                    ? "a shell reads this, since it is no JSON array: that has strings in double quotes,"
                        + " commas between them and a `]` at its end"
                    : nil
            )
    ]
}

private func relativePath(_ word: Word, _ visit: Visit) -> [Finding] {
    // A path that begins with a variable of unknown value may be absolute.
    guard !visit.scope.hasWorkingDirectory, let first = word.raw.utf8.first else { return [] }
    let text = word.knownText { visit.scope.variables[$0] }
    guard let shown = text ?? (first == .dollar || first == .doubleQuote ? nil : word.raw),
        !shown.isEmpty, !shown.hasPrefix("/"), !hasDrive(shown)
    else { return [] }
    let message = "Relative workdir \"\(shown)\" can have unexpected results if the base image changes"
    return [Finding(.workdirRelativePath, message, at: word.range, in: visit.instruction.range)]
}

/// Whether a path is one of Windows that begins with a drive: absolute in the images it is written for.
private func hasDrive(_ path: String) -> Bool {
    let bytes = Array(path.utf8.prefix(3))
    guard bytes.count == 3, bytes[1] == UInt8(ascii: ":") else { return false }
    return bytes[0].isASCIILetter && (bytes[2] == .backslash || bytes[2] == UInt8(ascii: "/"))
}

private func checkPort(_ word: Word, _ visit: Visit) -> [Finding] {
    guard let text = word.knownText({ visit.scope.variables[$0] }) else { return [] }
    var findings: [Finding] = []
    func report(_ rule: Rule, _ message: String) {
        findings.append(Finding(rule, message, at: word.range, in: visit.instruction.range))
    }
    let parts = text.split(separator: "/", maxSplits: 1)
    if parts.count == 2, parts[1].utf8.contains(where: { $0 != $0.asciiLowercased }) {
        report(.exposeProtoCasing, "Defined protocol '\(text)' in EXPOSE instruction should be lowercase")
    }
    if let ports = parts.first, ports.utf8.contains(UInt8(ascii: ":")) {
        let what = "an IP address or host-port mapping"
        report(.exposeInvalidFormat, "EXPOSE instruction should not define \(what), found '\(text)'")
    }
    return findings
}
