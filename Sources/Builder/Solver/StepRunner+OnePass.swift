import Glibc
import LayerDiff
import OCI
import Store

extension StepRunner {
    /// Files of fewer bytes are read twice in no time.
    private static let fewestBytes: Int64 = 4 << 20
    /// The selection and the layer's entries are in memory at the same time: of more files, one after the other.
    private static let mostFiles = 50_000

    /// Makes a COPY's layer before its key is known: the files, which have to be read for either, are read once.
    ///
    /// Only where the cache hardly has the step: nothing is known of this instruction, and nothing of most of its files.
    /// (That it has the same files by another name is found out afterwards.)
    /// - Returns: `nil` where that is not so, and the key comes first.
    func copyInOnePass(_ step: CopyStep, _ selection: Selection, on base: StepState) throws -> Outcome? {
        guard isWorthOnePass(step, selection) else { return nil }
        let definition = copyDefinition(of: step)
        guard try store.records(ofDefinition: definition, limit: 1).isEmpty else { return nil }
        let lock = StepLock(
            try span(.lock) { try store.lock("copy \(definition) \(base.chainID?.description ?? "-")") }
        )
        var isHandedOn = false
        defer { if !isHandedOn { lock.release() } }
        // Somebody else may have made it meanwhile.
        guard try store.records(ofDefinition: definition, limit: 1).isEmpty else { return nil }
        let began = Int64(time(nil))
        let start = Clock.now()
        let produced = try produce(step, selection, on: base)
        let contents = ContentDigests()
        let written = try write(produced, LayerOptions(contents: contents))
        var isKept = false
        // The blob's file must stay open until nobody writes to it.
        defer { if !isKept { _ = try? written.pending.finish() } }
        let key = try span(.key) {
            let digests = Self.digests(contents, of: produced.entries)
            let content = try selection.digest(owner: step.owner, mode: step.mode, read: (digests, at: began))
            return copyKey(step, on: base, content)
        }
        if !node.display.ignoresCache, let hit = try lookUp(key, base) { return hit }
        let run = RunWindow(began: began, seconds: Clock.now() - start)
        let kept = KeptStep(identity: key.identity, fields: key.fields.encoded(), run: run)
        let outcome = try keep(written, produced, kept, on: base, lock)
        isKept = true
        isHandedOn = outcome.finishing != nil
        return outcome
    }

    private func isWorthOnePass(_ step: CopyStep, _ selection: Selection) -> Bool {
        guard !step.isAdd, selection.trees.first is ContextTree else { return false }
        var files = 0
        var unknown: Int64 = 0
        // A sparse file may be as large as a number can be.
        func add(_ size: Int64) { unknown = min(unknown, Self.fewestBytes) + min(size, Self.fewestBytes) }
        for group in selection.groups {
            files += group.items.count
            if case .listed(let items) = group.items.storage { add(items.unknownBytes(Self.fewestBytes)) }
            guard case .list(let items) = group.items.storage else { continue }
            for item in items {
                guard case .file(let size) = item.node.entry.kind else { continue }
                if selection.trees[item.tree].knownDigest(item.node) == nil { add(size) }
            }
        }
        return files <= Self.mostFiles && unknown >= Self.fewestBytes
    }

    /// The digests by the files' paths in the context.
    private static func digests(_ contents: ContentDigests, of entries: LayerEntries) -> [ContainerPath: Digest] {
        var result: [ContainerPath: Digest] = [:]
        for (number, entry) in entries.enumerated() {
            guard case .file(_, let path, _) = entry.content, let digest = contents[number] else { continue }
            result[path] = digest
        }
        return result
    }
}
