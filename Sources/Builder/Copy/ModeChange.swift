import BuildFileParser

/// The value of `--chmod`: an octal mode, or clauses such as `u=rwX,go=rX`.
///
/// Source: chmod(1), "symbolic mode"; POSIX.1-2024, chmod, extended description.
enum ModeChange: Sendable, Hashable {
    case absolute(UInt16)
    case symbolic([Clause])

    /// `ugo` `+-=` `rwxXst` or the class to copy from.
    struct Clause: Sendable, Hashable {
        var classes: [Class]
        var operation: UInt8
        var permissions: [UInt8]
    }

    enum Class: Sendable, Hashable {
        case user, group, other

        var shift: UInt16 {
            switch self {
            case .user: 6
            case .group: 3
            case .other: 0
            }
        }

        /// The special bit that an assignment takes away: set-user-ID, set-group-ID, sticky.
        func special(isDirectory: Bool) -> UInt16 {
            switch self {
            case .user: isDirectory ? 0 : 0o4000
            case .group: isDirectory ? 0 : 0o2000
            case .other: 0o1000
            }
        }
    }

    /// Parses the value; `nil` where it is neither form.
    init?(parsing text: String) {
        if let first = text.utf8.first, (0x30...0x39).contains(first) {
            guard let mode = UInt16(text, radix: 8), mode <= 0o7777 else { return nil }
            self = .absolute(mode)
            return
        }
        var clauses: [Clause] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let parsed = Self.clauses(Array(part.utf8)) else { return nil }
            clauses += parsed
        }
        self = .symbolic(clauses)
    }

    /// One list of classes and one or more operations on them: `u+r-w`.
    private static func clauses(_ bytes: [UInt8]) -> [Clause]? {
        var index = 0
        var classes: [Class] = []
        scan: while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "u"): classes.append(.user)
            case UInt8(ascii: "g"): classes.append(.group)
            case UInt8(ascii: "o"): classes.append(.other)
            case UInt8(ascii: "a"): classes += [.user, .group, .other]
            default: break scan
            }
            index += 1
        }
        if classes.isEmpty { classes = [.user, .group, .other] }
        var result: [Clause] = []
        while index < bytes.count {
            guard "+-=".utf8.contains(bytes[index]) else { return nil }
            let operation = bytes[index]
            index += 1
            let start = index
            // Permissions, or one class to copy them from.
            if index < bytes.count, "ugo".utf8.contains(bytes[index]) {
                index += 1
            } else {
                while index < bytes.count, "rwxXst".utf8.contains(bytes[index]) { index += 1 }
            }
            result.append(Clause(classes: classes, operation: operation, permissions: Array(bytes[start..<index])))
        }
        return result.isEmpty ? nil : result
    }

    /// - Throws: ``Diagnostic`` where the value is no mode.
    static func check(_ text: String, at range: SourceRange?) throws(Diagnostic) {
        if text.isEmpty || ModeChange(parsing: text) != nil { return }
        throw Diagnostic("\(CopyError.malformedMode(text))", at: range)
    }

    /// Whether the result depends on the mode before.
    var isRelative: Bool {
        if case .symbolic = self { true } else { false }
    }

    /// The mode that comes of `mode`.
    func applied(to mode: UInt16, isDirectory: Bool) -> UInt16 {
        switch self {
        case .absolute(let mode): mode
        case .symbolic(let clauses):
            clauses.reduce(mode) { Self.apply($1, to: $0, isDirectory: isDirectory) }
        }
    }

    private static func apply(_ clause: Clause, to mode: UInt16, isDirectory: Bool) -> UInt16 {
        var result = mode
        for affected in clause.classes {
            var bits: UInt16 = 0
            var special: UInt16 = 0
            for permission in clause.permissions {
                switch permission {
                case UInt8(ascii: "r"): bits |= 4
                case UInt8(ascii: "w"): bits |= 2
                case UInt8(ascii: "x"): bits |= 1
                case UInt8(ascii: "X"): if isDirectory || mode & 0o111 != 0 { bits |= 1 }
                case UInt8(ascii: "s"):
                    if affected == .user { special |= 0o4000 }
                    if affected == .group { special |= 0o2000 }
                case UInt8(ascii: "t"): if affected == .other { special |= 0o1000 }
                case UInt8(ascii: "u"): bits |= mode >> 6 & 7
                case UInt8(ascii: "g"): bits |= mode >> 3 & 7
                default: bits |= mode & 7
                }
            }
            let change = bits << affected.shift | special
            switch clause.operation {
            case UInt8(ascii: "+"): result |= change
            case UInt8(ascii: "-"): result &= ~change
            // Each class owns one of the special bits; a directory keeps its set-ID bits, as with GNU's chmod.
            default: result = result & ~(7 << affected.shift | affected.special(isDirectory: isDirectory)) | change
            }
        }
        return result
    }
}
