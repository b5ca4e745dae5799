/// A pattern for paths as COPY takes it.
///
/// `*` and `?` match within a name, `[a-c]` and `[^a]` are classes, a backslash escapes: Go's `filepath.Match`.
/// With `doubleStar`, `**` stands for any number of directories, as `--parents` and `--exclude` have it.
public struct PathPattern: Sendable {
    private let globs: [Glob]

    /// Compiles a pattern.
    ///
    /// - Throws: a diagnostic without a place, since only the caller knows where the pattern comes from.
    public init(_ pattern: String, doubleStar: Bool = false) throws(Diagnostic) {
        try self.init(bytes: Array(pattern.utf8), doubleStar: doubleStar)
    }

    /// Compiles a pattern of any bytes.
    ///
    /// - Throws: a diagnostic without a place, since only the caller knows where the pattern comes from.
    public init(bytes: [UInt8], doubleStar: Bool = false) throws(Diagnostic) {
        do throws(PatternError) {
            globs = try GlobCompiler.compile(bytes, doubleStar: doubleStar)
        } catch {
            throw Diagnostic("the pattern `\(bytes.text)` \(error.message)", at: nil)
        }
    }

    /// Whether the whole path matches.
    public func matches(_ path: [UInt8]) -> Bool {
        globs.contains { $0.matches(path) }
    }

    /// Whether the whole path matches.
    public func matches(_ path: String) -> Bool { matches(Array(path.utf8)) }

    /// Whether the text has anything in it that makes it a pattern: `*`, `?` or `[`, not escaped.
    public static func hasWildcards(_ text: some Sequence<UInt8>) -> Bool {
        var escaped = false
        for byte in text {
            if escaped {
                escaped = false
            } else if byte == .backslash {
                escaped = true
            } else if [.star, UInt8(ascii: "?"), UInt8(ascii: "[")].contains(byte) {
                return true
            }
        }
        return false
    }

    /// Whether the text has anything in it that makes it a pattern: `*`, `?` or `[`, not escaped.
    public static func hasWildcards(_ text: String) -> Bool { hasWildcards(text.utf8) }

    /// The name that a pattern without wildcards stands for: its backslashes removed.
    public static func unescaped(_ pattern: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var index = 0
        while index < pattern.count {
            if pattern[index] == .backslash, index + 1 < pattern.count { index += 1 }
            result.append(pattern[index])
            index += 1
        }
        return result
    }
}
