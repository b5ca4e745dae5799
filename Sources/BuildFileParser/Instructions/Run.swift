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
        var fields: [RunInstruction.Mount.Field] = []
        var start = 0
        while start <= text.bytes.count {
            let end = text.bytes[start...].firstIndex(of: UInt8(ascii: ",")) ?? text.bytes.count
            let sign = text.bytes[start..<end].firstIndex(of: .equals)
            let key = start..<(sign ?? end)
            let place = line.sourceRange(text.lineRange(key))
            guard !key.isEmpty else {
                let comma = start < text.bytes.count ? start..<(start + 1) : max(0, start - 1)..<start
                throw Diagnostic(
                    "an option of --mount has no name",
                    at: line.sourceRange(text.lineRange(comma)),
                    notes: ["expected `name=value`, separated by single commas"]
                )
            }
            let name = text.bytes[key].text.asciiLowercased
            let value = sign.map { word(text, ($0 + 1)..<end) }
            if name == "from", let value, value.raw.utf8.contains(.dollar) {
                throw Diagnostic(
                    "`from` of a mount cannot hold variables",
                    at: value.range,
                    notes: ["name a stage with `FROM … AS name` and use that name"]
                )
            }
            fields.append(RunInstruction.Mount.Field(key: Located(name, at: place), value: value))
            start = end + 1
        }
        return RunInstruction.Mount(fields: fields, range: whole)
    }
}
