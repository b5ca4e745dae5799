import BuildFileParser

/// Ignore files by their definition, without any cleverness: each line, in order, against the path and all above it.
///
/// Only patterns of plain characters, `*`, `?` and `**` between slashes; `nil` for an ignore file with others.
struct NaiveIgnore {
    private struct Line {
        var names: [[UInt8]]
        var isException: Bool
    }

    private var patterns: [Line] = []

    init?(_ file: [UInt8]) {
        for var line in lines(file) {
            if line.first == UInt8(ascii: "#") { continue }
            // What is cleaned, escaped or trimmed is for other tests.
            let allowed = line.allSatisfy { (0x61...0x7A).contains($0) || "*?!/".utf8.contains($0) }
            guard allowed else { return nil }
            if line.isEmpty { continue }
            let isException = line.first == UInt8(ascii: "!")
            if isException { line.removeFirst() }
            let names = line.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map(Array.init)
            guard names.allSatisfy({ !$0.isEmpty && !$0.contains(UInt8(ascii: "!")) }) else { return nil }
            let hasOddStars = names.contains { name in
                let stars = zip(name, name.dropFirst()).contains { $0 == UInt8(ascii: "*") && $1 == $0 }
                return stars && name.count != 2
            }
            guard !hasOddStars else { return nil }
            patterns.append(Line(names: names, isException: isException))
        }
    }

    func isIgnored(_ path: [UInt8]) -> Bool {
        let names = path.split(separator: UInt8(ascii: "/")).map(Array.init)
        var isIgnored = false
        for line in patterns where (1...names.count).contains(where: { Self.matches(line.names[...], names[..<$0]) }) {
            isIgnored = !line.isException
        }
        return isIgnored
    }

    private static func matches(_ pattern: ArraySlice<[UInt8]>, _ names: ArraySlice<[UInt8]>) -> Bool {
        guard let first = pattern.first else { return names.isEmpty }
        let rest = pattern.dropFirst()
        if first.elementsEqual("**".utf8) {
            // At the end it stands for one name or more, elsewhere for none or more.
            if rest.isEmpty { return !names.isEmpty }
            return (names.startIndex...names.endIndex).contains { matches(rest, names[$0...]) }
        }
        guard let name = names.first, matchesName(first[...], text(name)[...]) else { return false }
        return matches(rest, names.dropFirst())
    }

    private static func matchesName(_ pattern: ArraySlice<UInt8>, _ name: ArraySlice<Unicode.Scalar>) -> Bool {
        guard let first = pattern.first else { return name.isEmpty }
        if first == UInt8(ascii: "*") {
            return (name.startIndex...name.endIndex).contains { matchesName(pattern.dropFirst(), name[$0...]) }
        }
        guard let character = name.first else { return false }
        guard first == UInt8(ascii: "?") || UInt32(first) == character.value else { return false }
        return matchesName(pattern.dropFirst(), name.dropFirst())
    }

    /// The name's characters; each byte that belongs to none counts as one.
    private static func text(_ name: [UInt8]) -> [Unicode.Scalar] {
        var scalars: [Unicode.Scalar] = []
        var bytes = name.makeIterator()
        var parser = Unicode.UTF8.ForwardParser()
        while true {
            switch parser.parseScalar(from: &bytes) {
            case .valid(let scalar): scalars.append(Unicode.UTF8.decode(scalar))
            case .error(let length): scalars.append(contentsOf: repeatElement("\u{FFFD}", count: length))
            case .emptyInput: return scalars
            }
        }
    }
}
