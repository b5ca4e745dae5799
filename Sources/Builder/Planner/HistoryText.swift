import BuildFileParser

/// The texts that an image's history has for each instruction, as other builders write them.
enum HistoryText {
    static func pairs(_ keyword: String, _ pairs: [(name: String, value: String)]) -> String {
        keyword + pairs.map { " \($0.name)=\($0.value)" }.joined()
    }

    static func list(_ keyword: String, _ values: [String]) -> String {
        "\(keyword) [\(values.joined(separator: " "))]"
    }

    /// `CMD ["a" "b c"]`.
    static func command(_ keyword: String, _ arguments: [String]) -> String {
        "\(keyword) [\(arguments.map(quoted).joined(separator: " "))]"
    }

    /// Escaped as in a Go string literal.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                result += "\\x" + (digits.count < 2 ? "0" : "") + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    static func healthcheck(test: [String], options: HealthcheckOptions) -> String {
        "HEALTHCHECK {Test:[\(test.joined(separator: " "))] Interval:\(duration(options.interval ?? 0)) "
            + "Timeout:\(duration(options.timeout ?? 0)) StartPeriod:\(duration(options.startPeriod ?? 0)) "
            + "StartInterval:\(duration(options.startInterval ?? 0)) Retries:\(options.retries ?? 0)}"
    }

    /// Nanoseconds in Go's form: `1m30s`, `500ms`, `2h0m0s`.
    static func duration(_ nanoseconds: Int64) -> String {
        if nanoseconds == 0 { return "0s" }
        if nanoseconds < 1000 { return "\(nanoseconds)ns" }
        if nanoseconds < 1_000_000 { return decimal(nanoseconds, unit: 1000) + "µs" }
        if nanoseconds < 1_000_000_000 { return decimal(nanoseconds, unit: 1_000_000) + "ms" }
        let seconds = nanoseconds / 1_000_000_000
        var result = ""
        if seconds >= 3600 { result += "\(seconds / 3600)h" }
        if seconds >= 60 { result += "\(seconds / 60 % 60)m" }
        return result + decimal(nanoseconds % 60_000_000_000, unit: 1_000_000_000) + "s"
    }

    private static func decimal(_ value: Int64, unit: Int64) -> String {
        var fraction = String(value % unit + unit).dropFirst()
        while fraction.last == "0" { fraction.removeLast() }
        return fraction.isEmpty ? "\(value / unit)" : "\(value / unit).\(fraction)"
    }
}
