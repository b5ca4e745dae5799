extension Statement {
    /// `HEALTHCHECK NONE` or `HEALTHCHECK [options] CMD …`.
    func healthcheck() throws(Diagnostic) -> Healthcheck {
        guard let kind = separated(body).first else { throw missingArguments("CMD or NONE") }
        let rest = line.bytes.skippingBlanks(kind.upperBound..<body.upperBound)..<body.upperBound
        switch line.text(kind).asciiUppercased {
        case "NONE":
            guard rest.isEmpty else {
                throw Diagnostic("HEALTHCHECK NONE takes no arguments", at: line.sourceRange(rest))
            }
            if let flag = flags.first {
                throw Diagnostic("HEALTHCHECK NONE takes no flags", at: line.sourceRange(flag.range))
            }
            return .none
        case "CMD":
            guard let form = try commandForm(in: rest), form != .exec([]) else {
                throw Diagnostic(
                    "HEALTHCHECK CMD needs a command",
                    at: line.sourceRange(kind),
                    notes: ["write the command after CMD, or `HEALTHCHECK NONE` for no check"]
                )
            }
            return .command(form, try healthcheckOptions())
        default:
            throw Diagnostic(
                "HEALTHCHECK needs CMD or NONE, not `\(line.text(kind))`",
                at: line.sourceRange(kind),
                notes: suggestion(for: line.text(kind), among: ["CMD", "NONE"]).map { ["did you mean `\($0)`?"] }
                    ?? ["write `HEALTHCHECK [options] CMD \(line.text(body))`"]
            )
        }
    }

    private func healthcheckOptions() throws(Diagnostic) -> HealthcheckOptions {
        var options = HealthcheckOptions()
        options.interval = try duration("interval")
        options.timeout = try duration("timeout")
        options.startPeriod = try duration("start-period")
        options.startInterval = try duration("start-interval")
        if let word = flagWord("retries") {
            guard let count = Int(word.raw), count >= 0 else {
                throw Diagnostic(
                    "`\(word.raw)` is no number of retries",
                    at: word.range,
                    notes: ["expected a whole number from 0 on"]
                )
            }
            options.retries = count
        }
        return options
    }

    private func duration(_ flag: String) throws(Diagnostic) -> Int64? {
        guard let word = flagWord(flag) else { return nil }
        guard let value = parseDuration(word.raw) else {
            let missesUnit = !word.raw.isEmpty && word.raw.utf8.allSatisfy(\.isASCIIDigit)
            throw Diagnostic(
                "`\(word.raw)` is no duration",
                at: word.range,
                notes: [missesUnit ? "it needs a unit: `\(word.raw)s`" : "write it like `1m30s` or `500ms`"]
            )
        }
        // The shortest time that the image's configuration allows; zero stands for 'not set'.
        guard value == 0 || value >= 1_000_000 else {
            throw Diagnostic(
                "the duration `\(word.raw)` is shorter than 1ms",
                at: word.range,
                notes: ["expected 0, for what the runtime does by itself, or `1ms` and more"]
            )
        }
        return value
    }
}
