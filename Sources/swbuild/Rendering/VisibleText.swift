/// Text from elsewhere, as it may be shown on somebody's terminal.
///
/// A terminal does what is written to it: sequences of control characters set its clipboard and its title, move what
/// was written before, or have it type. So of these, those for colours and weight are left (ECMA-48, SGR), and all other
/// control characters are spelt out. Characters that change the direction of the text around them (UAX #9) are replaced:
/// they show a command as another one.
enum VisibleText {
    /// The text with its lines and tabs, and nothing else that a terminal would act on.
    static func of(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 && $0 != 0x0A || $0 == 0x7F || $0 == 0xC2 || $0 == 0xE2 }) else {
            return text
        }
        var result = String.UnicodeScalarView()
        var rest = Substring(text).unicodeScalars
        while let scalar = rest.first {
            if let length = styleLength(rest) {
                result.append(contentsOf: rest.prefix(length))
                rest = rest.dropFirst(length)
                continue
            }
            rest = rest.dropFirst()
            switch scalar.value {
            case 0x09, 0x0A: result.append(scalar)
            case 0x0D where rest.first.map { $0 == "\n" } ?? true: break
            case 0..<0x20, 0x7F:
                result.append("^")
                result.append(Unicode.Scalar(UInt8(scalar.value) ^ 0x40))
            case 0x80..<0xA0, 0x202A...0x202E, 0x2066...0x2069: result.append("\u{FFFD}")
            default: result.append(scalar)
            }
        }
        return String(result)
    }

    /// The length of the sequence for colour or weight that a text begins with: ESC, `[`, numbers, `m`.
    private static func styleLength(_ text: Substring.UnicodeScalarView) -> Int? {
        guard text.first == "\u{1B}", text.dropFirst().first == "[" else { return nil }
        let numbers = text.dropFirst(2).prefix(64).prefix { ("0"..."9").contains($0) || $0 == ";" || $0 == ":" }
        guard text.dropFirst(2 + numbers.count).first == "m" else { return nil }
        return numbers.count + 3
    }
}
