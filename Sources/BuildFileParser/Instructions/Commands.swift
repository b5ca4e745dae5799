extension Statement {
    /// The exec form or the shell form of CMD and ENTRYPOINT; an empty array takes back what a base image has.
    func commandForm() throws(Diagnostic) -> CommandForm {
        guard let form = try commandForm(in: body) else { throw missingArguments("a command") }
        return form
    }

    func commandForm(in range: Range<Int>) throws(Diagnostic) -> CommandForm? {
        guard !range.isEmpty else { return nil }
        if let elements = try jsonStrings(range) { return .exec(elements.map(\.value)) }
        return .shell(line.text(range))
    }

    func shellInstruction() throws(Diagnostic) -> [String] {
        let example = "write `SHELL [\"/bin/bash\", \"-c\"]`"
        guard let elements = try jsonStrings() else {
            throw Diagnostic("SHELL needs a JSON array", at: bodyRange, notes: [example])
        }
        guard !elements.isEmpty else { throw Diagnostic("SHELL cannot be empty", at: bodyRange, notes: [example]) }
        return elements.map(\.value)
    }
}
