/// A compiled pattern for paths: Go's `filepath.Match`, and where wanted `**` for any number of directories.
///
/// Most patterns of an ignore file are a name, a directory or `**/*.suffix`; those are told apart when the pattern is
/// compiled and compared as bytes. The rest is matched token by token. A star cannot cross a slash, and what stands
/// after a later `**` never makes an earlier one try again, so two places to go back to are enough.
struct Glob: Sendable {
    enum Token: Sendable, Equatable {
        case byte(UInt8)
        /// `?`: a character that is no slash.
        case anyCharacter
        /// `[a-c]`, `[^a]`: index of the class.
        case characterClass(Int)
        /// `*`: any text without a slash.
        case star
        /// `**/`: any number of directories, none included.
        case directories
        /// `**` at the end: anything.
        case anything
    }

    enum Shape: Sendable {
        case exact([UInt8])
        /// `text**`
        case prefix([UInt8])
        /// `**text`, which by moby's rules also matches within a name.
        case suffix([UInt8])
        /// `**/text`
        case anyDepth([UInt8])
        case general
    }

    private let tokens: [Token]
    private let classes: [CharacterClass]
    let shape: Shape
    /// The bytes that every match begins and ends with.
    let head: [UInt8]
    let tail: [UInt8]

    init(tokens: [Token], classes: [CharacterClass], startsInsideName: Bool) {
        self.tokens = tokens
        self.classes = classes
        self.head = Self.bytes(tokens[...])
        self.tail = Self.bytes(tokens.reversed()[...]).reversed()
        self.shape = Self.shape(of: tokens, startsInsideName: startsInsideName)
    }

    private static func bytes(_ tokens: ArraySlice<Token>) -> [UInt8] {
        var result: [UInt8] = []
        for case .byte(let byte) in tokens.prefix(while: { $0.isByte }) { result.append(byte) }
        return result
    }

    private static func shape(of tokens: [Token], startsInsideName: Bool) -> Shape {
        let literals = bytes(tokens[...])
        if literals.count == tokens.count { return .exact(literals) }
        if literals.count == tokens.count - 1, tokens.last == .anything { return .prefix(literals) }
        let rest = bytes(tokens.dropFirst())
        if tokens.first == .directories, rest.count == tokens.count - 1 {
            return startsInsideName ? .suffix(rest) : .anyDepth(rest)
        }
        return .general
    }

    func matches(_ path: [UInt8]) -> Bool {
        switch shape {
        case .exact(let text): path == text
        case .prefix(let text): path.starts(with: text)
        case .suffix(let text): Self.hasSuffix(path, text)
        case .anyDepth(let text):
            Self.hasSuffix(path, text)
                && (path.count == text.count || path[path.count - text.count - 1] == .slash)
        case .general:
            path.count >= head.count && path.starts(with: head) && Self.hasSuffix(path, tail) && matchesTokens(path)
        }
    }

    private static func hasSuffix(_ path: [UInt8], _ suffix: [UInt8]) -> Bool {
        let start = path.count - suffix.count
        guard start >= 0 else { return false }
        for index in 0..<suffix.count where path[start + index] != suffix[index] { return false }
        return true
    }

    private func matchesTokens(_ path: [UInt8]) -> Bool {
        var token = 0
        var position = 0
        var star: (token: Int, position: Int)?
        var directories: (token: Int, position: Int)?
        while true {
            if token < tokens.count {
                switch tokens[token] {
                case .anything:
                    return true
                case .star:
                    token += 1
                    star = (token, position)
                    continue
                case .directories:
                    token += 1
                    directories = (token, position)
                    star = nil
                    continue
                case .byte, .anyCharacter, .characterClass:
                    if let width = width(of: tokens[token], in: path, at: position) {
                        token += 1
                        position += width
                        continue
                    }
                }
            } else if position == path.count {
                return true
            }
            if let back = star, back.position < path.count, path[back.position] != .slash {
                let width = DecodedScalar(in: path, at: back.position, before: path.count).width
                star = (back.token, back.position + width)
                (token, position) = (back.token, back.position + width)
            } else if let back = directories, let slash = path[back.position...].firstIndex(of: .slash) {
                directories = (back.token, slash + 1)
                star = nil
                (token, position) = (back.token, slash + 1)
            } else {
                return false
            }
        }
    }

    /// How many bytes at `position` the token, one for a single character, takes.
    private func width(of token: Token, in path: [UInt8], at position: Int) -> Int? {
        guard position < path.count else { return nil }
        if case .byte(let byte) = token { return path[position] == byte ? 1 : nil }
        guard path[position] != .slash else { return nil }
        let character = DecodedScalar(in: path, at: position, before: path.count)
        if case .characterClass(let index) = token, !classes[index].contains(character.value) { return nil }
        return character.width
    }

    /// Whether a path below `directory` could match; `true` where that is not known.
    func mayMatch(below directory: [UInt8]) -> Bool {
        let common = min(head.count, directory.count)
        guard head.prefix(common).elementsEqual(directory.prefix(common)) else { return false }
        if head.count > directory.count, !directory.isEmpty, head[directory.count] != .slash { return false }
        // Without `**` a pattern matches at its own depth only.
        guard !tokens.contains(.directories), !tokens.contains(.anything) else { return true }
        let depth = tokens.count { $0 == .byte(.slash) }
        return directory.isEmpty || depth > directory.count { $0 == .slash }
    }
}

extension Glob.Token {
    fileprivate var isByte: Bool {
        if case .byte = self { return true }
        return false
    }
}

/// `[a-c]` or `[^a-c]`.
struct CharacterClass: Sendable {
    var isNegated: Bool
    var ranges: [ClosedRange<UInt32>]

    func contains(_ value: UInt32) -> Bool {
        ranges.contains { $0.contains(value) } != isNegated
    }
}
