extension Statement {
    /// `FROM [--platform=…] image [AS name]`.
    func fromInstruction() throws(Diagnostic) -> FromInstruction {
        let words = blankSeparated
        guard let image = words.first else { throw missingArguments("the name of an image") }
        var name: Located<String>?
        if words.count > 1 {
            guard words.count == 3, line.text(words[1]).asciiLowercased == "as" else { throw unexpectedWord(words) }
            name = line.located(words[2])
        }
        if let name, !Self.isStageName(name.value) {
            throw Diagnostic(
                "`\(name.value)` cannot be the name of a stage",
                at: name.range,
                notes: ["a name begins with a letter and goes on with letters, digits, `-`, `_` and `.`"]
            )
        }
        return FromInstruction(image: word(image), platform: flagWord("platform"), name: name)
    }

    private func unexpectedWord(_ words: [Range<Int>]) -> Diagnostic {
        let first = line.text(words[1])
        if first.asciiLowercased == "as" {
            let place = words.count > 3 ? words[3] : words[1]
            let problem = words.count > 3 ? "FROM takes one name after AS" : "FROM needs a name after AS"
            return Diagnostic(problem, at: line.sourceRange(place))
        }
        let isComment = first.hasPrefix("#")
        var notes = ["expected `FROM [--platform=…] IMAGE [AS NAME]`"]
        if isComment {
            notes = ["a comment has a line of its own"]
        } else if first.hasPrefix("--") {
            notes = ["flags stand before the image: `FROM \(first) \(line.text(words[0]))`"]
        } else if words.count == 3, suggestion(for: first, among: ["AS"]) != nil {
            notes = ["did you mean `AS`?"]
        }
        return Diagnostic(
            "FROM takes an image and, after AS, a name: `\(first)` is too much",
            at: line.sourceRange(words[1]),
            notes: notes
        )
    }

    private static func isStageName(_ name: String) -> Bool {
        guard let first = name.utf8.first, first.isASCIILetter else { return false }
        return name.utf8.allSatisfy { byte in
            byte.isASCIILetter || byte.isASCIIDigit || [.dash, UInt8(ascii: "_"), UInt8(ascii: ".")].contains(byte)
        }
    }
}
