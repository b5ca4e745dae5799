/// Why a pattern cannot be compiled.
struct PatternError: Error {
    var message: String
}

/// Compiles patterns of paths.
struct GlobCompiler {
    /// How many `**` inside names (`a**b`) one pattern may have: each doubles the number of compiled patterns.
    private static let innerLimit = 4

    private let pattern: [UInt8]
    private let doubleStar: Bool
    private var index = 0
    private var classes: [CharacterClass] = []
    private var startsInsideName = false
    /// The pattern's readings so far: `a**b` is `ab` or `a*/**/b`.
    private var readings: [[Glob.Token]] = [[]]

    private init(_ pattern: [UInt8], doubleStar: Bool) {
        self.pattern = pattern
        self.doubleStar = doubleStar
    }

    /// The globs of which one must match.
    static func compile(_ pattern: [UInt8], doubleStar: Bool) throws(PatternError) -> [Glob] {
        var compiler = GlobCompiler(pattern, doubleStar: doubleStar)
        try compiler.run()
        return compiler.readings.map { tokens in
            Glob(tokens: tokens, classes: compiler.classes, startsInsideName: compiler.startsInsideName)
        }
    }

    private mutating func run() throws(PatternError) {
        while index < pattern.count {
            let byte = pattern[index]
            index += 1
            switch byte {
            case .star:
                if doubleStar, index < pattern.count, pattern[index] == .star {
                    index += 1
                    try addDoubleStar()
                } else {
                    add(.star)
                }
            case UInt8(ascii: "?"):
                add(.anyCharacter)
            case UInt8(ascii: "["):
                classes.append(try readClass())
                add(.characterClass(classes.count - 1))
            case .backslash:
                guard index < pattern.count else { throw PatternError(message: "ends in a backslash") }
                add(.byte(pattern[index]))
                index += 1
            default:
                add(.byte(byte))
            }
        }
    }

    private mutating func add(_ token: Glob.Token) {
        for reading in readings.indices where token != .star || readings[reading].last != .star {
            readings[reading].append(token)
        }
    }

    private mutating func addDoubleStar() throws(PatternError) {
        let isFirst = index == 2
        let follows = index > 2 ? pattern[index - 3] : .slash
        let hasSlash = index < pattern.count && pattern[index] == .slash
        if hasSlash { index += 1 }
        guard index < pattern.count else {
            add(.anything)
            return
        }
        guard follows != .slash else {
            if isFirst { startsInsideName = !hasSlash }
            add(.directories)
            return
        }
        guard readings.count < 1 << Self.innerLimit else {
            throw PatternError(message: "has more than \(Self.innerLimit) `**` inside names")
        }
        readings += readings.map { reading in
            let head = reading.last == .star ? reading : reading + [.star]
            return head + [.byte(.slash), .directories]
        }
    }

    /// Reads a class after its `[`.
    private mutating func readClass() throws(PatternError) -> CharacterClass {
        let isNegated = index < pattern.count && pattern[index] == UInt8(ascii: "^")
        if isNegated { index += 1 }
        var ranges: [ClosedRange<UInt32>] = []
        while true {
            guard index < pattern.count else { throw PatternError(message: "has a `[` that is not closed") }
            if pattern[index] == UInt8(ascii: "]"), !ranges.isEmpty {
                index += 1
                return CharacterClass(isNegated: isNegated, ranges: ranges)
            }
            let low = try readClassCharacter()
            var high = low
            if index < pattern.count, pattern[index] == .dash {
                index += 1
                high = try readClassCharacter()
            }
            guard low <= high else { throw PatternError(message: "has a range that ends before it begins") }
            ranges.append(low...high)
        }
    }

    private mutating func readClassCharacter() throws(PatternError) -> UInt32 {
        let malformed = PatternError(message: "has a malformed `[…]`")
        guard index < pattern.count, pattern[index] != .dash, pattern[index] != UInt8(ascii: "]") else {
            throw malformed
        }
        if pattern[index] == .backslash { index += 1 }
        guard index < pattern.count else { throw malformed }
        let character = DecodedScalar(in: pattern, at: index, before: pattern.count)
        index += character.width
        return character.value
    }
}
