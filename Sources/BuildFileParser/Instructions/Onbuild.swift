extension Statement {
    /// `ONBUILD`: the trigger's text, after the trigger has been parsed to see whether it is valid.
    func onbuildInstruction(_ heredocs: [AnnouncedHeredoc]) throws(Diagnostic) -> OnbuildInstruction {
        guard let trigger = try trigger() else { throw missingArguments("an instruction") }
        _ = try trigger.instruction(heredocs: heredocs)
        return OnbuildInstruction(text: line.text(body) + heredocs.map(\.heredoc.appendix).joined())
    }

    /// The instruction after ONBUILD, `nil` where there is none.
    func trigger() throws(Diagnostic) -> Statement? {
        guard keyword == .onbuild, !body.isEmpty else { return nil }
        let trigger = try Statement(line, from: body.lowerBound, escape: escape)
        try trigger.checkIsTrigger()
        return trigger
    }

    func checkIsTrigger() throws(Diagnostic) {
        guard ![.onbuild, .from, .maintainer].contains(keyword) else {
            throw Diagnostic(
                "\(keyword.rawValue) cannot be a trigger of ONBUILD",
                at: keywordRange,
                notes: ["expected any instruction but ONBUILD, FROM and MAINTAINER"]
            )
        }
    }
}
