/// The file name of a Content-Disposition field.
///
/// Source: RFC 6266, section 4.3, and RFC 8187 for the form with a star.
enum ContentDisposition {
    /// The name that the field suggests; `nil` where it has none that can be a name in a directory.
    static func fileName(_ value: String) -> String? {
        var plain: String?
        var extended: String?
        for parameter in parameters(value) {
            switch parameter.name {
            case "filename": plain = plain ?? parameter.value
            case "filename*": extended = extended ?? decoded(parameter.value)
            default: break
            }
        }
        guard let name = extended ?? plain, isName(name) else { return nil }
        return name
    }

    private static func isName(_ name: String) -> Bool {
        !name.isEmpty && name != "." && name != ".." && name.utf8.count <= 255
            && name.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "/") }
    }

    /// `UTF-8''na%20me`.
    private static func decoded(_ value: String) -> String? {
        let parts = value.split(separator: "'", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].lowercased() == "utf-8" else { return nil }
        return percentDecoded(parts[2].utf8)
    }

    private static func parameters(_ value: String) -> [(name: String, value: String)] {
        var result: [(name: String, value: String)] = []
        var rest = Substring(value)
        while let semicolon = rest.firstIndex(of: ";") {
            rest = rest[rest.index(after: semicolon)...].drop { $0 == " " || $0 == "\t" }
            guard let equals = rest.firstIndex(where: { $0 == "=" || $0 == ";" }), rest[equals] == "=" else { continue }
            let name = rest[..<equals].filter { $0 != " " }.lowercased()
            rest = rest[rest.index(after: equals)...].drop { $0 == " " }
            if rest.first == "\"" {
                result.append((name, quoted(&rest)))
            } else {
                let value = rest.prefix { $0 != ";" }
                result.append((name, String(value.reversed().drop { $0 == " " }.reversed())))
                rest = rest[value.endIndex...]
            }
        }
        return result
    }

    private static func quoted(_ rest: inout Substring) -> String {
        rest = rest.dropFirst()
        var result = ""
        while let character = rest.popFirst(), character != "\"" {
            if character == "\\", let escaped = rest.popFirst() {
                result.append(escaped)
            } else {
                result.append(character)
            }
        }
        return result
    }
}

/// The bytes with `%20` and the like decoded, as text.
public func percentDecoded(_ bytes: some Collection<UInt8>) -> String {
    var result: [UInt8] = []
    var rest = Array(bytes)[...]
    while let byte = rest.popFirst() {
        if byte == UInt8(ascii: "%"), rest.count >= 2, rest.first != UInt8(ascii: "+"),
            rest.first != UInt8(ascii: "-"),
            let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
        {
            result.append(value)
            rest = rest.dropFirst(2)
        } else {
            result.append(byte)
        }
    }
    return String(decoding: result, as: UTF8.self)
}
