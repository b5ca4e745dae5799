extension Statement {
    func runInstruction(_ heredocs: [AnnouncedHeredoc]) throws(Diagnostic) -> RunInstruction {
        guard let form = try commandForm(in: body), form != .exec([]) else { throw missingArguments("a command") }
        var run = RunInstruction(command: form)
        run.heredocs = heredocs.map(\.heredoc)
        run.network = try oneOf(["default", "none", "host"], flag: "network", what: "network mode")
        run.security = try oneOf(["sandbox", "insecure"], flag: "security", what: "security mode")
        run.devices = flagWords("device")
        for text in flagTexts("mount") { run.mounts.append(try mount(text)) }
        return run
    }

    /// The value of a flag that is one of a few words; one with variables is left to be checked when they are known.
    private func oneOf(_ values: [String], flag: String, what: String) throws(Diagnostic) -> Word? {
        guard let word = flagWord(flag) else { return nil }
        if !values.contains(word.raw), !word.raw.utf8.contains(.dollar) {
            throw Diagnostic(
                "unknown \(what) `\(word.raw)`",
                at: word.range,
                notes: expectation(instead: word.raw, among: values)
            )
        }
        return word
    }

    private func mount(_ text: FlagText) throws(Diagnostic) -> RunInstruction.Mount {
        let whole = line.sourceRange(text.lineRange(0..<text.bytes.count))
        return RunInstruction.Mount(fields: try mountFields(text), range: whole)
    }

    private func mountFields(_ list: FlagText) throws(Diagnostic) -> [RunInstruction.Mount.Field] {
        let parts: [CommaSeparatedField]
        do throws(MisplacedQuote) {
            parts = try list.commaSeparated()
        } catch {
            throw Diagnostic(
                error.message,
                at: line.sourceRange(list.lineRange(error.index..<(error.index + 1))),
                notes: ["quotes go around a whole option, `'\"source=a,b\"'`; two of them stand for one"]
            )
        }
        var fields: [RunInstruction.Mount.Field] = []
        for part in parts { fields.append(try mountField(part, of: list)) }
        return fields
    }

    private func mountField(
        _ part: CommaSeparatedField,
        of list: FlagText
    ) throws(Diagnostic) -> RunInstruction.Mount.Field {
        let text = part.text
        let sign = text.bytes.firstIndex(of: .equals)
        let key = 0..<(sign ?? text.bytes.count)
        guard !key.isEmpty else {
            let start = part.start
            let comma = start < list.bytes.count ? start..<(start + 1) : max(0, start - 1)..<start
            throw Diagnostic(
                "an option of --mount has no name",
                at: line.sourceRange(list.lineRange(comma)),
                notes: ["expected `name=value`, separated by single commas"]
            )
        }
        let name = text.bytes[key].text.asciiLowercased
        let value = sign.map { word(text, ($0 + 1)..<text.bytes.count) }
        if name == "from", let value, value.raw.utf8.contains(.dollar) {
            throw Diagnostic(
                "`from` of a mount cannot hold variables",
                at: value.range,
                notes: ["name a stage with `FROM … AS name` and use that name"]
            )
        }
        return RunInstruction.Mount.Field(key: Located(name, at: line.sourceRange(text.lineRange(key))), value: value)
    }
}
