import BuildFileParser
import OCI

/// Why a text is not taken for a platform.
struct MalformedPlatform: Error, Sendable, Hashable {
    /// What was expected, or meant.
    var notes: [String]
}

extension Platform {
    /// The platform that a text names.
    ///
    /// As with BuildKit, an operating system and an architecture that nobody knows are taken as they are where both are
    /// given; but not what is nearly one that is known.
    /// - Throws: ``MalformedPlatform``.
    static func parse(_ text: String) throws(MalformedPlatform) -> Platform {
        let general = MalformedPlatform(notes: ["expected os/architecture, such as linux/amd64 or linux/arm64"])
        guard let platform = Platform(parsing: text) else { throw general }
        var parts = text.split(separator: "/").map { $0.lowercased() }
        if parts.count == 1 {
            let known = architectures + systems
            guard !known.contains(parts[0]) else { return platform }
            guard let near = suggestion(for: parts[0], among: known) else { throw general }
            throw MalformedPlatform(notes: ["did you mean `\(near)`?"])
        }
        for (index, known) in [systems, architectures].enumerated() where !known.contains(parts[index]) {
            guard let near = suggestion(for: parts[index], among: known) else { continue }
            parts[index] = near
            throw MalformedPlatform(notes: ["did you mean `\(parts.joined(separator: "/"))`?"])
        }
        return platform
    }
}

extension BuildRequest {
    /// The platform that `--platform` names.
    /// - Throws: ``MalformedOption``.
    public static func platform(parsing text: String) throws(MalformedOption) -> Platform {
        do throws(MalformedPlatform) {
            return try Platform.parse(text)
        } catch {
            let note = error.notes.first ?? ""
            let expected = note.hasPrefix("expected ") ? String(note.dropFirst(9)) : "a platform that is known: \(note)"
            throw MalformedOption(option: "--platform", value: text, expected: expected)
        }
    }
}
