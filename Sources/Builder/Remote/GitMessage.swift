/// What git writes to standard error, made fit for one sentence.
enum GitMessage {
    /// The last lines of what git said, as one; `nil` where it said nothing.
    static func oneLine(of errors: [UInt8]) -> String? {
        let lines = String(decoding: errors, as: UTF8.self).split { $0 == "\n" || $0 == "\r" || $0 == "\r\n" }
        let said = lines.map(cleaned).filter { !$0.isEmpty && !boilerplate.contains($0) }
        let text = said.suffix(4).joined(separator: "; ")
        return text.isEmpty ? nil : String(text.prefix(1000))
    }

    /// What git says below every failure to reach a remote, whatever the cause.
    private static let boilerplate = [
        "Please make sure you have the correct access rights", "and the repository exists",
    ]

    /// A line without control characters, blanks around it, and the period or comma at its end.
    private static func cleaned(_ line: Substring) -> String {
        let isSpace = { (character: Unicode.Scalar) in character.value == 0x20 }
        var scalars = line.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7f }[...]
        while let last = scalars.last, isSpace(last) || last == "." || last == "," { scalars.removeLast() }
        return String(String.UnicodeScalarView(scalars.drop(while: isSpace)))
    }

    /// Whether a complaint is about a connection that broke, or a server that is busy: the next try may succeed.
    static func mayPass(_ message: String) -> Bool {
        let text = message.lowercased()
        let passing = [
            "early eof", "unexpected disconnect", "hung up unexpectedly", "connection reset", "connection timed out",
            "operation timed out", "rpc failed", "empty reply from server", "gnutls_handshake", "ssl_error_syscall",
            "returned error: 429", "returned error: 502", "returned error: 503", "returned error: 504",
        ]
        let lasting = [
            "permission denied", "host key verification", "could not read username", "returned error: 401",
            "returned error: 403", "returned error: 404", "not our ref", "access denied",
            "not appear to be a git repository",
        ]
        return passing.contains { text.contains(part: $0) } && !lasting.contains { text.contains(part: $0) }
    }
}

extension String {
    /// Whether `part` stands anywhere in it, byte for byte.
    fileprivate func contains(part: String) -> Bool {
        let bytes = Array(utf8)
        let wanted = Array(part.utf8)
        return bytes.indices.contains { bytes[$0...].starts(with: wanted) }
    }
}
