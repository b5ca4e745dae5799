extension Statement {
    /// `ARG name[=default] …`.
    func argInstruction() throws(Diagnostic) -> ArgInstruction {
        var declarations: [ArgInstruction.Declaration] = []
        for range in quotedWords {
            let sign = line.bytes[range].firstIndex(of: .equals)
            let nameRange = range.lowerBound..<(sign ?? range.upperBound)
            guard !nameRange.isEmpty else { throw blankName(range) }
            let name = try word(nameRange).expand { _ in nil }
            guard !name.text.isEmpty, name.used.isEmpty, name.missing.isEmpty else {
                throw Diagnostic(
                    "the name of an ARG cannot hold variables",
                    at: line.sourceRange(nameRange),
                    notes: ["expected `ARG NAME` or `ARG NAME=default`"]
                )
            }
            declarations.append(
                ArgInstruction.Declaration(
                    name: Located(name.text, at: line.sourceRange(nameRange)),
                    defaultValue: sign.map { word(($0 + 1)..<range.upperBound) }
                )
            )
        }
        guard !declarations.isEmpty else { throw missingArguments("at least one name") }
        return ArgInstruction(declarations: declarations)
    }

    /// `name=value …` of ENV and LABEL, or the old form `name value`, whose value is the rest of the line.
    func keyValues() throws(Diagnostic) -> [KeyValue] {
        let words = quotedWords
        guard let first = words.first else { throw missingArguments("a name and a value") }
        guard line.bytes[first].contains(.equals) else { return [try oldForm()] }
        var result: [KeyValue] = []
        for range in words {
            guard let sign = line.bytes[range].firstIndex(of: .equals) else {
                throw Diagnostic(
                    "`\(line.text(range))` has no `=`: \(keyword.rawValue) takes name=value",
                    at: line.sourceRange(range),
                    notes: ["put a value that holds blanks into double quotes"]
                )
            }
            guard sign > range.lowerBound else { throw blankName(range) }
            result.append(
                KeyValue(key: word(range.lowerBound..<sign), value: word((sign + 1)..<range.upperBound))
            )
        }
        return result
    }

    private func oldForm() throws(Diagnostic) -> KeyValue {
        var end = body.lowerBound
        while end < body.upperBound, !line.bytes[end].isBlank { end += 1 }
        let value = line.bytes.skippingBlanks(end..<body.upperBound)
        guard value < body.upperBound else {
            throw Diagnostic(
                "\(keyword.rawValue) needs a value for `\(line.text(body))`",
                at: line.sourceRange(body),
                notes: ["write `\(line.text(body))=value`"]
            )
        }
        return KeyValue(key: word(body.lowerBound..<end), value: word(value..<body.upperBound))
    }

    private func blankName(_ range: Range<Int>) -> Diagnostic {
        Diagnostic(
            "\(keyword.rawValue) needs a name before the `=`",
            at: line.sourceRange(range),
            notes: ["expected `NAME=VALUE`, without blanks around the `=`"]
        )
    }
}
