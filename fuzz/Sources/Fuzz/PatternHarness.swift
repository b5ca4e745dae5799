import BuildFileParser

/// The first line is a pattern of COPY, the second a path: matched with and without `**`, and as `filepath.Match` would.
func fuzzPattern(_ input: [UInt8]) {
    let parts = lines(input)
    guard parts.count >= 2 else { return }
    let (pattern, path) = (parts[0], parts[1])
    _ = try? PathPattern(bytes: pattern, doubleStar: true).matches(path)
    guard let plain = try? PathPattern(bytes: pattern) else { return }
    let matched = plain.matches(path)
    if !PathPattern.hasWildcards(pattern), !pattern.contains(UInt8(ascii: "\\")) {
        require(matched == (pattern == path), "a pattern without wildcards is more than its text")
    }
    if !PathPattern.hasWildcards(pattern) {
        require(plain.matches(PathPattern.unescaped(pattern)), "an escaped pattern does not match its own text")
    }
    // The definition tries every way: more stars than these would take it forever.
    guard pattern.count <= 20, path.count <= 24, pattern.count(where: { $0 == UInt8(ascii: "*") }) <= 4 else { return }
    let isSimple = pattern.allSatisfy { $0 < 0x80 && !#"[]\"#.utf8.contains($0) } && path.allSatisfy { $0 < 0x80 }
    guard isSimple else { return }
    let expected = matches(pattern[...], path[...])
    require(matched == expected, "the pattern matches: \(matched), by the definition: \(expected)")
}

private func matches(_ pattern: ArraySlice<UInt8>, _ path: ArraySlice<UInt8>) -> Bool {
    guard let first = pattern.first else { return path.isEmpty }
    let slash = UInt8(ascii: "/")
    if first == UInt8(ascii: "*") {
        let end = path.firstIndex(of: slash) ?? path.endIndex
        return (path.startIndex...end).contains { matches(pattern.dropFirst(), path[$0...]) }
    }
    guard let next = path.first else { return false }
    guard first == next || (first == UInt8(ascii: "?") && next != slash) else { return false }
    return matches(pattern.dropFirst(), path.dropFirst())
}
