/// What an ignore file (`.dockerignore`) leaves out of the build context.
///
/// A line is a pattern, relative to the root of the context; `!` makes it an exception; `#` in the first column makes
/// it a comment. A pattern matches a path if it matches the path itself or a directory above it, and the last line that
/// matches decides. Paths are bytes, without a slash at the start.
///
/// Dockerfile reference, ".dockerignore file"; the patterns are those of moby's `patternmatcher`.
public struct IgnoreRules: Sendable {
    /// Whether a path is left out, and which line says so.
    public struct Verdict: Sendable, Hashable {
        /// Whether the path is left out.
        public var ignored: Bool
        /// The number of the deciding line, `nil` where no line matches.
        public var line: Int?
        /// The deciding rule's index.
        fileprivate(set) var rule: Int

        /// The verdict where no line matches: that of the context's root.
        public static let included = Verdict(ignored: false, line: nil, rule: -1)
    }

    private struct Rule: Sendable {
        var globs: [Glob]
        var isException: Bool
        var line: Int
        /// As written.
        var pattern: String
    }

    private var rules: [Rule] = []
    private var exceptions: [Int] = []
    private var index = IgnoreIndex()

    /// Whether there are no rules, so that nothing is left out.
    public var isEmpty: Bool { rules.isEmpty }

    /// Reads an ignore file.
    ///
    /// - Throws: what is wrong with the first pattern that is malformed.
    public init(parsing bytes: [UInt8]) throws(Diagnostic) {
        var reader = LineReader(bytes)
        while let line = reader.next() {
            let content = bytes.trimmingBlanks(line.content)
            guard !content.isEmpty, bytes[line.content.lowerBound] != .hash else { continue }
            let range = SourceRange(
                start: line.position(at: content.lowerBound),
                end: line.position(at: content.upperBound)
            )
            do throws(PatternError) {
                try add(bytes[content], line: line.number)
            } catch {
                throw Diagnostic("the pattern `\(bytes[content].text)` \(error.message)", at: range)
            }
        }
    }

    /// Takes patterns as the lines of an ignore file hold them; the verdicts count them from 1.
    ///
    /// - Throws: what is wrong with the first pattern that is malformed.
    public init(patterns: [String]) throws(Diagnostic) {
        for (index, pattern) in patterns.enumerated() {
            let bytes = Array(pattern.utf8)
            let content = bytes.trimmingBlanks(0..<bytes.count)
            guard !content.isEmpty else { continue }
            do throws(PatternError) {
                try add(bytes[content], line: index + 1)
            } catch {
                throw Diagnostic("the pattern `\(pattern)` \(error.message)", at: nil)
            }
        }
    }

    private mutating func add(_ pattern: ArraySlice<UInt8>, line: Int) throws(PatternError) {
        let isException = pattern.first == UInt8(ascii: "!")
        let text = isException ? pattern.dropFirst().drop(while: \.isBlank) : pattern
        guard !text.isEmpty else { throw PatternError(message: "is an exception without a path") }
        var path = cleanedPath(text)
        if path.first == .slash { path.removeFirst() }
        // The root of the context itself cannot be left out.
        guard !path.isEmpty, path != [UInt8(ascii: ".")] else { return }
        let globs = try GlobCompiler.compile(path, doubleStar: true)
        for glob in globs { index.add(glob, rule: rules.count) }
        if isException { exceptions.append(rules.count) }
        rules.append(Rule(globs: globs, isException: isException, line: line, pattern: pattern.text))
    }

    /// Decides about a path of the context.
    public func verdict(for path: some Collection<UInt8>) -> Verdict {
        let path = Array(path)
        var verdict = Verdict.included
        for index in path.indices where path[index] == .slash && index > 0 {
            verdict = self.verdict(for: Array(path[..<index]), parent: verdict)
        }
        return self.verdict(for: path, parent: verdict)
    }

    /// Decides about a path of the context.
    public func verdict(for path: String) -> Verdict { verdict(for: path.utf8) }

    /// Decides about a path whose directory's verdict is known: the way to walk a tree.
    public func verdict(for path: [UInt8], parent: Verdict) -> Verdict {
        // Whatever matched the directory matches what is in it, so only later rules can still change the verdict.
        guard let rule = index.lastMatch(of: path, after: parent.rule) else { return parent }
        return Verdict(ignored: !rules[rule].isException, line: rules[rule].line, rule: rule)
    }

    /// The pattern, as written, of the line that decided.
    public func pattern(of verdict: Verdict) -> String? {
        rules.indices.contains(verdict.rule) ? rules[verdict.rule].pattern : nil
    }

    /// Whether an exception could match something below the directory; if not, an ignored one need not be entered.
    public func mayContainExceptions(below directory: [UInt8]) -> Bool {
        mayContainExceptions(below: directory, ignoredBy: .included)
    }

    /// Whether an exception after the line that left the directory out could match something below it.
    public func mayContainExceptions(below directory: [UInt8], ignoredBy verdict: Verdict) -> Bool {
        exceptions.reversed().prefix { $0 > verdict.rule }.contains { rule in
            rules[rule].globs.contains { $0.mayMatch(below: directory) }
        }
    }
}
