import OCI
import Store

/// Why a step was not in the cache, as far as an earlier record of the same instruction tells.
enum MissReason {
    private static let longestList = 3

    /// A sentence without a final stop; `nil` where nothing is known of the step.
    static func explain(_ identity: StepIdentity, fields now: JSONValue, earlier: [StepRecord]) -> String? {
        // The nearest of the earlier records: one with the same key, else the last used.
        if earlier.contains(where: { $0.identity.key == identity.key }) { return "the layers below it changed" }
        guard let last = earlier.first, let before = try? JSONValue(parsing: last.fields, as: "fields") else {
            return nil
        }
        var reasons: [String] = []
        let names = Set((now.object ?? [:]).keys).union((before.object ?? [:]).keys).subtracting(["files"]).sorted()
        for name in names where now[name] != before[name] {
            switch name {
            case "content": reasons.append(contents(before, now) ?? "the files that it copies changed")
            case "environment":
                reasons.append("the environment changed: " + difference(before[name], now[name]))
            case _ where name.hasPrefix("bind "):
                reasons.append(contents(before, now) ?? "what is mounted at \(name.dropFirst(5)) changed")
            default: reasons.append("its \(name) changed: " + difference(before[name], now[name]))
            }
        }
        if last.identity.parent != identity.parent { reasons.append("the layers below it changed") }
        return reasons.isEmpty ? nil : reasons.joined(separator: "; ")
    }

    private static func difference(_ before: JSONValue?, _ now: JSONValue?) -> String {
        let old = before?.strings ?? []
        let new = now?.strings ?? []
        let gone = old.filter { !new.contains($0) }.map { "-\($0)" }
        let added = new.filter { !old.contains($0) }.map { "+\($0)" }
        return list(gone + added)
    }

    /// The files that differ: each is kept as digest, mode and path.
    private static func contents(_ before: JSONValue, _ now: JSONValue) -> String? {
        var oldLines = before["files"]?.strings?[...] ?? []
        var newLines = now["files"]?.strings?[...] ?? []
        guard !oldLines.isEmpty, !newLines.isEmpty else { return nil }
        // Both are in one order, and most of many files are as they were.
        while let line = oldLines.first, line == newLines.first {
            oldLines.removeFirst()
            newLines.removeFirst()
        }
        while let line = oldLines.last, line == newLines.last {
            oldLines.removeLast()
            newLines.removeLast()
        }
        let (old, new) = (files(oldLines), files(newLines))
        var parts: [String] = []
        let changed = new.keys.filter { old[$0] != nil && old[$0] != new[$0] }.sorted()
        let added = new.keys.filter { old[$0] == nil }.sorted()
        let removed = old.keys.filter { new[$0] == nil }.sorted()
        if !changed.isEmpty { parts.append("changed: \(list(changed))") }
        if !added.isEmpty { parts.append("added: \(list(added))") }
        if !removed.isEmpty { parts.append("removed: \(list(removed))") }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }

    /// Digest and mode by path.
    private static func files(_ lines: ArraySlice<String>) -> [String: Substring] {
        var result: [String: Substring] = [:]
        for line in lines {
            let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            result[String(parts[2])] = line[..<parts[1].endIndex]
        }
        return result
    }

    private static func list(_ items: [String]) -> String {
        let shown = items.prefix(longestList).joined(separator: ", ")
        return items.count > longestList ? "\(shown) and \(items.count - longestList) more" : shown
    }
}
