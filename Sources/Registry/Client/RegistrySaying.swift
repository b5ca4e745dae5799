import OCI

/// What a registry or token server says of an error, fit to be shown.
enum RegistrySaying {
    private static let longest = 500

    /// The messages of an error document, or the body itself where it is another text.
    ///
    /// Source: distribution-spec 1.1, "Error Codes"; RFC 6749, section 5.2, for token servers.
    ///
    /// What `hiding` leaves out is gone before the text is cut: half a secret would be too much.
    static func text(of body: [UInt8], hiding: (String) -> String) -> String { shown(hiding(message(body))) }

    private static func message(_ body: [UInt8]) -> String {
        guard !body.isEmpty else { return "" }
        if let json = try? JSONValue(parsing: body, as: "error"), json.object != nil {
            if let errors = json["errors"]?.array { return errors.compactMap(entry).joined(separator: "; ") }
            let texts = [json["error_description"], json["details"], json["message"], json["error"]]
            return texts.compactMap { $0?.string }.first { !$0.isEmpty } ?? ""
        }
        // A page for browsers says little in many words.
        guard body.first(where: { $0 > 0x20 }) != UInt8(ascii: "<") else { return "" }
        return String(decoding: body, as: UTF8.self)
    }

    private static func entry(_ error: JSONValue) -> String? {
        let code = error["code"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        let message = error["message"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        return switch (code, message) {
        case (let code?, let message?): "\(code): \(message)"
        case (let text?, nil), (nil, let text?): text
        case (nil, nil): nil
        }
    }

    /// Cut, on one line, and without what terminals act on.
    static func shown(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            guard result.unicodeScalars.count < longest else { return result + "…" }
            switch scalar.properties.generalCategory {
            case .control where "\n\t\r".unicodeScalars.contains(scalar): result += " "
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result.last == " " ? String(result.dropLast()) : result
    }
}
