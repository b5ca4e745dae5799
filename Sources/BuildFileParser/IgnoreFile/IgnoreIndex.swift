/// Finds the last rule that matches a path without trying them all, so that the time hardly depends on how many there
/// are.
///
/// A rule is filed under what every path that it matches has: the whole path, its last name, the byte that it ends
/// with, or the one that it begins with. The few rules of a drawer are then tried, the last first.
struct IgnoreIndex: Sendable {
    private struct Item: Sendable {
        var glob: Glob
        var rule: Int
    }

    /// A path to the last rule that is just that path.
    private var paths: [[UInt8]: Int] = [:]
    /// A name to the last rule `**/name`.
    private var names: [[UInt8]: Int] = [:]
    /// The other rules that end in a byte of their own, by that byte.
    private var byEnd: [[Item]] = Array(repeating: [], count: 256)
    /// The rest that begins with a byte of its own, by that byte.
    private var byBeginning: [[Item]] = Array(repeating: [], count: 256)
    private var others: [Item] = []

    /// Files a pattern; rules come in their order.
    mutating func add(_ glob: Glob, rule: Int) {
        switch glob.shape {
        case .exact(let path): paths[path] = rule
        case .anyDepth(let name) where !name.contains(.slash): names[name] = rule
        case .anyDepth(let text), .suffix(let text): file(Item(glob: glob, rule: rule), end: text.last, beginning: nil)
        case .prefix(let text): file(Item(glob: glob, rule: rule), end: nil, beginning: text.first)
        case .general: file(Item(glob: glob, rule: rule), end: glob.tail.last, beginning: glob.head.first)
        }
    }

    private mutating func file(_ item: Item, end: UInt8?, beginning: UInt8?) {
        if let end {
            byEnd[Int(end)].append(item)
        } else if let beginning {
            byBeginning[Int(beginning)].append(item)
        } else {
            others.append(item)
        }
    }

    /// The last rule after number `bound` that matches the path; `nil` where none does.
    func lastMatch(of path: [UInt8], after bound: Int) -> Int? {
        guard let first = path.first, let last = path.last else { return nil }
        var best = bound
        if !paths.isEmpty, let rule = paths[path] { best = max(best, rule) }
        if !names.isEmpty {
            let start = path.lastIndex(of: .slash).map { $0 + 1 } ?? 0
            if let rule = names[start == 0 ? path : Array(path[start...])] { best = max(best, rule) }
        }
        best = Self.lastMatch(of: path, in: byEnd[Int(last)], after: best)
        best = Self.lastMatch(of: path, in: byBeginning[Int(first)], after: best)
        best = Self.lastMatch(of: path, in: others, after: best)
        return best > bound ? best : nil
    }

    private static func lastMatch(of path: [UInt8], in drawer: [Item], after bound: Int) -> Int {
        var index = drawer.count
        while index > 0 {
            index -= 1
            guard drawer[index].rule > bound else { break }
            if drawer[index].glob.matches(path) { return drawer[index].rule }
        }
        return bound
    }
}
