extension BuildFile {
    /// The tree as text, one node a line with its place: for tests and for looking at.
    public func dump() -> String {
        var printer = Printer()
        printer.print(self)
        return printer.text
    }
}

/// Writes the nodes of a build file, indented by their depth.
private struct Printer {
    private(set) var text = ""
    private var depth = 0

    private mutating func line(_ content: String) {
        text += String(repeating: "  ", count: depth) + content + "\n"
    }

    private mutating func nested(_ head: String, _ body: (inout Printer) -> Void) {
        line(head)
        depth += 1
        body(&self)
        depth -= 1
    }

    mutating func print(_ file: BuildFile) {
        line("escape \(file.directives.escape)")
        if let syntax = file.directives.syntax { line("syntax \(show(syntax))") }
        if let check = file.directives.check { line("check \(show(check))") }
        for argument in file.globalArguments { print(.arg(argument.value), at: argument.range) }
        for stage in file.stages {
            nested("FROM \(show(stage.from.range))") { printer in
                printer.line("image \(show(stage.from.value.image))")
                printer.word("platform", stage.from.value.platform)
                if let name = stage.from.value.name { printer.line("name \(show(name))") }
                for instruction in stage.instructions { printer.print(instruction.value, at: instruction.range) }
            }
        }
    }

    private mutating func print(_ instruction: Instruction, at range: SourceRange) {
        let place = show(range)
        switch instruction {
        case .add(let copy): nested("ADD \(place)") { $0.print(copy) }
        case .copy(let copy): nested("COPY \(place)") { $0.print(copy) }
        case .arg(let arg):
            nested("ARG \(place)") { printer in
                for declaration in arg.declarations {
                    let value = declaration.defaultValue.map { " = \(show($0))" } ?? ""
                    printer.line("\(show(declaration.name))\(value)")
                }
            }
        case .cmd(let form): line("CMD \(place) \(show(form))")
        case .entrypoint(let form): line("ENTRYPOINT \(place) \(show(form))")
        case .env(let pairs): nested("ENV \(place)") { $0.print(pairs) }
        case .label(let pairs): nested("LABEL \(place)") { $0.print(pairs) }
        case .expose(let words): nested("EXPOSE \(place)") { $0.print(words) }
        case .volume(let words): nested("VOLUME \(place)") { $0.print(words) }
        case .healthcheck(let check): nested("HEALTHCHECK \(place)") { $0.print(check) }
        case .maintainer(let name): line("MAINTAINER \(place) \(quote(name))")
        case .onbuild(let trigger): line("ONBUILD \(place) \(quote(trigger.text))")
        case .run(let run): nested("RUN \(place) \(show(run.command))") { $0.print(run) }
        case .shell(let arguments): line("SHELL \(place) \(show(.exec(arguments)))")
        case .stopsignal(let word): line("STOPSIGNAL \(place) \(show(word))")
        case .user(let word): line("USER \(place) \(show(word))")
        case .workdir(let word): line("WORKDIR \(place) \(show(word))")
        }
    }

    private mutating func print(_ pairs: [KeyValue]) {
        for pair in pairs { line("\(show(pair.key)) = \(show(pair.value))") }
    }

    private mutating func print(_ words: [Word]) {
        for word in words { line(show(word)) }
    }

    private mutating func word(_ name: String, _ word: Word?) {
        if let word { line("\(name) \(show(word))") }
    }

    private mutating func print(_ run: RunInstruction) {
        for mount in run.mounts {
            nested("mount \(show(mount.range))") { printer in
                for field in mount.fields {
                    printer.line(show(field.key) + (field.value.map { " = \(show($0))" } ?? ""))
                }
            }
        }
        word("network", run.network)
        word("security", run.security)
        for device in run.devices { word("device", device) }
        for heredoc in run.heredocs { line("heredoc \(show(heredoc))") }
    }

    private mutating func print(_ copy: CopyInstruction) {
        word("from", copy.from)
        word("chown", copy.chown)
        word("chmod", copy.chmod)
        word("checksum", copy.checksum)
        for exclude in copy.excludes { word("exclude", exclude) }
        if copy.link { line("link") }
        if copy.parents { line("parents") }
        if copy.keepGitDirectory { line("keep-git-dir") }
        if let unpack = copy.unpack { line("unpack \(unpack)") }
        for source in copy.sources {
            switch source {
            case .path(let path): word("source", path)
            case .heredoc(let heredoc): line("heredoc \(show(heredoc))")
            }
        }
        word("destination", copy.destination)
    }

    private mutating func print(_ check: Healthcheck) {
        switch check {
        case .none:
            line("none")
        case .command(let form, let options):
            line(show(form))
            let times = [
                ("interval", options.interval), ("timeout", options.timeout), ("start-period", options.startPeriod),
                ("start-interval", options.startInterval),
            ]
            for case (let name, let time?) in times { line("\(name) \(time)ns") }
            if let retries = options.retries { line("retries \(retries)") }
        }
    }
}

private func show(_ range: SourceRange) -> String {
    let end = range.end.line == range.start.line ? "\(range.end.column)" : "\(range.end.line):\(range.end.column)"
    return "@\(range.start.line):\(range.start.column)-\(end)"
}

private func show(_ word: Word) -> String { "\(quote(word.raw)) \(show(word.range))" }

private func show(_ name: Located<String>) -> String { "\(quote(name.value)) \(show(name.range))" }

private func show(_ form: CommandForm) -> String {
    switch form {
    case .exec(let arguments): "exec [" + arguments.map(quote).joined(separator: ", ") + "]"
    case .shell(let text): "shell \(quote(text))"
    }
}

private func show(_ heredoc: Heredoc) -> String {
    var kinds = heredoc.expands ? "expands" : "literal"
    if heredoc.stripsTabs { kinds += " tabs" }
    return "\(quote(heredoc.name)) \(show(heredoc.range)) \(kinds) \(quote(heredoc.content))"
}

/// The text in double quotes on one line.
private func quote(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"", "\\": result += "\\\(scalar)"
        case "\n": result += "\\n"
        case "\t": result += "\\t"
        case "\r": result += "\\r"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
