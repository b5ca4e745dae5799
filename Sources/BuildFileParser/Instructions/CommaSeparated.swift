/// A part of a list between commas, its quotes removed.
struct CommaSeparatedField: Sendable {
    var text: FlagText
    /// Where it begins in the list.
    var start: Int
}

/// A quote of a list that is none, or none that ends.
struct MisplacedQuote: Error {
    var message: String
    /// Where it is in the list.
    var index: Int
}

extension FlagText {
    /// The parts of a list between its commas.
    ///
    /// One that begins with `"` ends at the next one and may hold commas; two of them stand for one in it.
    ///
    /// Source: RFC 4180, section 2, read as strictly as Go's encoding/csv does, which is what BuildKit reads mounts with.
    func commaSeparated() throws(MisplacedQuote) -> [CommaSeparatedField] {
        var fields: [CommaSeparatedField] = []
        var index = 0
        while true {
            var field = CommaSeparatedField(text: FlagText(at: index < bytes.count ? offset(index) : end), start: index)
            if bytes.has("\"", at: index, before: bytes.count) {
                index = try appendQuoted(at: index, to: &field.text)
            } else {
                index = try appendPlain(at: index, to: &field.text)
            }
            fields.append(field)
            guard index < bytes.count else { return fields }
            index += 1
        }
    }

    /// Reads up to a comma or the end: where that is.
    private func appendPlain(at start: Int, to field: inout FlagText) throws(MisplacedQuote) -> Int {
        var index = start
        while index < bytes.count, bytes[index] != .comma {
            guard bytes[index] != .doubleQuote else {
                throw MisplacedQuote(message: "a quote within an option of --mount", index: index)
            }
            field.append(bytes[index], from: offset(index))
            index += 1
        }
        return index
    }

    /// Reads what is between quotes: the place of the comma behind the second one, or of the end.
    private func appendQuoted(at start: Int, to field: inout FlagText) throws(MisplacedQuote) -> Int {
        var index = start + 1
        while index < bytes.count {
            if bytes[index] == .doubleQuote {
                index += 1
                guard index < bytes.count, bytes[index] != .comma else { return index }
                guard bytes[index] == .doubleQuote else {
                    throw MisplacedQuote(message: "text behind the quoted option of --mount", index: index)
                }
            }
            field.append(bytes[index], from: offset(index))
            index += 1
        }
        throw MisplacedQuote(message: "a quoted option of --mount does not end", index: start)
    }
}
