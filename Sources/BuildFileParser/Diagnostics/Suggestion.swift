/// The candidate that is so close to `word` that it may be what was meant.
///
/// Close is a third of its letters or fewer, counted as letters put in, left out, replaced or swapped with a neighbour.
/// Of several that are equally close it is the first.
public func suggestion(for word: String, among candidates: [String]) -> String? {
    let wanted = Array(word.asciiLowercased.utf8)
    guard !wanted.isEmpty, wanted.count <= 64 else { return nil }
    var best: (candidate: String, distance: Int)?
    for candidate in candidates {
        let letters = Array(candidate.asciiLowercased.utf8)
        let limit = max(1, max(letters.count, wanted.count) / 3)
        guard abs(letters.count - wanted.count) <= limit else { continue }
        let distance = editDistance(wanted, letters)
        guard distance <= limit, distance < best?.distance ?? Int.max else { continue }
        best = (candidate, distance)
    }
    return best?.candidate
}

/// What an error says beside the problem where a word is none of a few known ones: the one that is close, or all.
///
/// `shown` makes of a word what stands in the note: `--from` of `from`, say.
public func expectation(
    instead word: String,
    among known: [String],
    shown: (String) -> String = { "`\($0)`" }
) -> [String] {
    let list = "expected \(known.count == 1 ? "" : "one of ")\(known.map(shown).joined(separator: ", "))"
    guard let near = suggestion(for: word, among: known) else { return known.isEmpty ? [] : [list] }
    return ["did you mean \(shown(near))?"] + (known.count > 1 && known.count <= 8 ? [list] : [])
}

/// The optimal string alignment distance.
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for row in 0..<left.count {
        var current = [row + 1]
        for column in 0..<right.count {
            let cost = left[row] == right[column] ? 0 : 1
            var distance = min(last[column] + cost, last[column + 1] + 1, current[column] + 1)
            if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                distance = min(distance, beforeLast[column - 1] + 1)
            }
            current.append(distance)
        }
        beforeLast = last
        last = current
    }
    return last[right.count]
}
