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

    /// Escaped as in a Go string literal (The Go Programming Language Specification, "String literals").
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x07: result += "\\a"
            case 0x08: result += "\\b"
            case 0x09: result += "\\t"
            case 0x0A: result += "\\n"
            case 0x0B: result += "\\v"
            case 0x0C: result += "\\f"
            case 0x0D: result += "\\r"
            case 0x22: result += "\\\""
            case 0x5C: result += "\\\\"
            case 0..<0x20, 0x7F: result += "\\x" + hex(scalar, digits: 2)
            default:
                if isPrintable(scalar) {
                    result.unicodeScalars.append(scalar)
                } else {
                    result += scalar.value > 0xFFFF ? "\\U" + hex(scalar, digits: 8) : "\\u" + hex(scalar, digits: 4)
                }
            }
        }
        return result + "\""
    }

    private static func hex(_ scalar: Unicode.Scalar, digits: Int) -> String {
        let text = String(scalar.value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    /// Letters, marks, numbers, punctuation, symbols and the plain space.
    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        case .spaceSeparator: scalar == " "
        default: true
        }
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
