import BuildFileParser

/// A build file: parsed, dumped, rendered, its words expanded, its triggers read back.
func fuzzParser(_ input: [UInt8]) {
    let renderer = DiagnosticRenderer(fileName: "Buildfile", source: input, color: false)
    do throws(Diagnostic) {
        let file = try parseBuildFile(input)
        let dump = file.dump()
        require(
            succeed("with a line end more", { try parseBuildFile(input + [0x0A]) }).dump() == dump,
            "a line end more"
        )
        if !input.starts(with: [0xEF, 0xBB, 0xBF]) {
            require(
                succeed("with a mark", { try parseBuildFile([0xEF, 0xBB, 0xBF] + input) }).dump() == dump,
                "a mark"
            )
        }
        let lineCount = input.count { $0 == 0x0A } + 1
        for stage in file.stages {
            check(stage.from.range, lineCount)
            for instruction in stage.instructions {
                check(instruction.range, lineCount)
                visit(instruction.value, escape: file.directives.escape, renderer)
            }
        }
    } catch {
        if let range = error.range { check(range, input.count { $0 == 0x0A } + 1) }
        let text = renderer.render(error)
        require(text.utf8.count <= 64 * input.count + 10_000, "a diagnostic of \(text.utf8.count) bytes")
    }
}

private func check(_ range: SourceRange, _ lineCount: Int) {
    require(range.start.line >= 1 && range.start.column >= 1, "a place before the file: \(range)")
    require(range.start <= range.end, "a range that ends before it begins: \(range)")
    require(range.end.line <= lineCount, "a place behind the file: \(range)")
}

private func visit(_ instruction: Instruction, escape: Character, _ renderer: DiagnosticRenderer) {
    var words: [Word] = []
    var heredocs: [Heredoc] = []
    switch instruction {
    case .add(let copy), .copy(let copy):
        words =
            [copy.destination] + copy.excludes + [copy.from, copy.chown, copy.chmod, copy.checksum].compactMap { $0 }
        for source in copy.sources {
            switch source {
            case .path(let word): words.append(word)
            case .heredoc(let heredoc): heredocs.append(heredoc)
            }
        }
    case .arg(let arg): words = arg.declarations.compactMap(\.defaultValue)
    case .env(let pairs), .label(let pairs): words = pairs.flatMap { [$0.key, $0.value] }
    case .expose(let list), .volume(let list): words = list
    case .stopsignal(let word), .user(let word), .workdir(let word): words = [word]
    case .run(let run):
        heredocs = run.heredocs
        words = run.mounts.flatMap(\.fields).compactMap(\.value)
        _ = run.commandText
    case .onbuild(let trigger):
        _ = succeed("reading the trigger '\(trigger.text)' back") { try parseTrigger(trigger.text, escape: escape) }
    case .cmd, .entrypoint, .healthcheck, .maintainer, .shell: break
    }
    for word in words { expand(word, renderer) }
    for heredoc in heredocs {
        do throws(Diagnostic) { _ = try heredoc.expand { $0 } } catch { _ = renderer.render(error) }
    }
}

private func expand(_ word: Word, _ renderer: DiagnosticRenderer) {
    do throws(Diagnostic) {
        let whole = try word.expand { $0 }.text
        let parts = try word.expandToWords { $0 }
        require(parts.allSatisfy { !$0.text.isEmpty }, "an empty word of '\(word.raw)'")
        require(parts.map(\.text.utf8.count).reduce(0, +) <= whole.utf8.count, "words longer than '\(whole)'")
    } catch {
        _ = renderer.render(error)
    }
}
