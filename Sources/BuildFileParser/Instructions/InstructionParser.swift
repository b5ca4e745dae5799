extension Statement {
    /// Gives the statement its meaning; `heredocs` are those that its arguments announce, in order.
    ///
    /// `FROM` is none of a stage's instructions: it has no meaning here.
    func instruction(heredocs: [AnnouncedHeredoc]) throws(Diagnostic) -> Instruction {
        switch keyword {
        case .add: .add(try copyInstruction(heredocs))
        case .arg: .arg(try argInstruction())
        case .cmd: .cmd(try commandForm())
        case .copy: .copy(try copyInstruction(heredocs))
        case .entrypoint: .entrypoint(try commandForm())
        case .env: .env(try keyValues())
        case .expose: .expose(try exposedPorts())
        case .from: throw Diagnostic("FROM cannot stand here", at: keywordRange)
        case .healthcheck: .healthcheck(try healthcheck())
        case .label: .label(try keyValues())
        case .maintainer: .maintainer(try onlyWord("a name").raw)
        case .onbuild: .onbuild(try onbuildInstruction(heredocs))
        case .run: .run(try runInstruction(heredocs))
        case .shell: .shell(try shellInstruction())
        case .stopsignal: .stopsignal(try onlyWord("a signal"))
        case .user: .user(try onlyWord("a user"))
        case .volume: .volume(try volumes())
        case .workdir: .workdir(try onlyWord("a directory"))
        }
    }

    private func exposedPorts() throws(Diagnostic) -> [Word] {
        guard !body.isEmpty else { throw missingArguments("at least one port") }
        return blankSeparated.map(word)
    }

    private func volumes() throws(Diagnostic) -> [Word] {
        let words = try listOfWords()
        guard !words.isEmpty else { throw missingArguments("at least one path") }
        for volume in words where volume.raw.utf8.allSatisfy(\.isBlank) {
            throw Diagnostic("the path of a VOLUME cannot be empty", at: volume.range)
        }
        return words
    }

    /// The elements of a JSON array, or the parts between blanks.
    func listOfWords() throws(Diagnostic) -> [Word] {
        try jsonStrings()?.map { element in
            Word(raw: element.value, range: line.sourceRange(element.range), escape: escapeCharacter)
        } ?? blankSeparated.map(word)
    }

    /// The elements of the JSON array that the arguments are, or `nil` where they are something else.
    func jsonStrings(_ range: Range<Int>? = nil) throws(Diagnostic) -> [JSONStrings.Element]? {
        let range = range ?? body
        switch JSONStrings(line.bytes, in: range) {
        case .strings(let elements): return elements
        case .notArray: return nil
        case .otherArray(let element):
            throw Diagnostic(
                "the JSON array of \(keyword.rawValue) holds something else than strings",
                at: line.sourceRange(element),
                notes: ["expected strings alone: put each element into double quotes"]
            )
        }
    }
}

/// A here-document together with the place in the logical line where its instruction announces it.
struct AnnouncedHeredoc: Sendable {
    var range: Range<Int>
    var heredoc: Heredoc
}
