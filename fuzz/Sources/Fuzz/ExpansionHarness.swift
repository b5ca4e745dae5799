import BuildFileParser

private let place = SourceRange(start: SourcePosition(line: 1, column: 1), end: SourcePosition(line: 1, column: 1))
/// More than any word may come to: variables up to their limit, and the word's own text.
private let mostBytes = 2 << 20

/// The first line is a word; each of the rest is `NAME=value`.
///
/// Later values are expanded with those above them.
func fuzzExpansion(_ input: [UInt8]) {
    let parts = lines(input)
    let raw = text(parts.first ?? [])
    var values: [String: String] = [:]
    for line in parts.dropFirst() {
        let pair = line.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
        guard pair.count == 2 else { continue }
        let value = try? Word(raw: text(pair[1]), range: place).expand { values[$0] }.text
        values[text(pair[0])] = value
        // As the planner bounds the variables of a stage.
        if values.values.map(\.utf8.count).reduce(0, +) > 4 << 20 { return }
    }
    for escape: Character in ["\\", "`"] { check(Word(raw: raw, range: place, escape: escape), values) }
    checkHeredoc(raw, values)
    checkPatterns(parts)
}

private func check(_ word: Word, _ values: [String: String]) {
    let isWellFormed = (try? word.checkSyntax()) != nil
    let expansion = try? word.expand { values[$0] }
    if let expansion {
        require(isWellFormed, "'\(word.raw)' expands, but is malformed")
        require(expansion.text.utf8.count <= mostBytes, "\(expansion.text.utf8.count) bytes of '\(word.raw)'")
        require(Set(expansion.used).isDisjoint(with: expansion.missing), "names both used and missing")
        require(expansion.used.allSatisfy { values[$0] != nil }, "a name used that is not set")
    }
    if isWellFormed {
        // With every variable set, there is no `${x:?message}` to complain.
        let all = succeed("expanding '\(word.raw)'") { try word.expand { _ in "v" } }
        require(all.missing.isEmpty, "variables missing though all are set")
        let again = Word(raw: "'" + all.text + "'", range: place, escape: word.escape)
        if !all.text.utf8.contains(UInt8(ascii: "'")) {
            require(succeed("quoted", { try again.expand { _ in nil } }).text == all.text, "text in single quotes")
        }
    }
}

private func checkHeredoc(_ content: String, _ values: [String: String]) {
    var heredoc = Heredoc(
        name: "E",
        content: content,
        rawContent: content,
        expands: true,
        stripsTabs: false,
        range: place
    )
    if let expanded = try? heredoc.expand({ values[$0] }) {
        require(
            expanded.utf8.count <= mostBytes + content.utf8.count,
            "a here-document of \(expanded.utf8.count) bytes"
        )
    }
    heredoc.expands = false
    require((try? heredoc.expand { values[$0] }) == content, "a quoted here-document changes")
}

/// The first two lines as a pattern and a value: `#`, `##`, `%` and `%%` do what trying every cut would do.
private func checkPatterns(_ parts: [[UInt8]]) {
    guard parts.count >= 2, parts[0].count <= 16, parts[1].count <= 24 else { return }
    let pattern = text(parts[0])
    let value = text(parts[1])
    guard pattern.utf8.allSatisfy({ !#"$}'"\"#.utf8.contains($0) }), !pattern.isEmpty else { return }
    let scalars = Array(value.unicodeScalars)
    let wanted = Array(pattern.unicodeScalars)
    let cuts = Array(0...scalars.count)
    let heads = cuts.filter { matches(wanted[...], scalars[..<$0]) }
    let tails = cuts.filter { matches(wanted[...], scalars[$0...]) }
    if wanted.first != "#" {
        compare("${v#\(pattern)}", value, scalars[(heads.first ?? 0)...])
        compare("${v##\(pattern)}", value, scalars[(heads.last ?? 0)...])
    }
    if wanted.first != "%" {
        compare("${v%\(pattern)}", value, scalars[..<(tails.last ?? scalars.count)])
        compare("${v%%\(pattern)}", value, scalars[..<(tails.first ?? scalars.count)])
    }
}

private func compare(_ raw: String, _ value: String, _ expected: ArraySlice<Unicode.Scalar>) {
    let got = succeed(raw) { try Word(raw: raw, range: place).expand { $0 == "v" ? value : nil } }.text
    let wanted = String(String.UnicodeScalarView(expected))
    require(Array(got.utf8) == Array(wanted.utf8), "\(raw) of '\(value)' is '\(got)', not '\(wanted)'")
}

private func matches(_ pattern: ArraySlice<Unicode.Scalar>, _ value: ArraySlice<Unicode.Scalar>) -> Bool {
    guard let first = pattern.first else { return value.isEmpty }
    if first == "*" {
        return (value.startIndex...value.endIndex).contains { matches(pattern.dropFirst(), value[$0...]) }
    }
    guard let next = value.first, first == "?" || first == next else { return false }
    return matches(pattern.dropFirst(), value.dropFirst())
}

private func text(_ bytes: some Collection<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
