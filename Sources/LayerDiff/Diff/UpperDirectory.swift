/// The upper directory of a kernel overlay mount.
public enum UpperDirectory {
    /// What was changed in `upper`, which lay above `lower`: the entries of a layer, in byte order.
    ///
    /// The parents of every entry are listed. What was copied up but is as it was below is left out, and so is a
    /// whiteout of what does not exist below. The first of a file's names is the file, the others are hard links.
    ///
    /// Source: the kernel's Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories".
    /// - Throws: ``LayerError`` when something cannot be read, or the overlay used a feature that layers do not have.
    public static func changes(
        in upper: Directory,
        above lower: LayerStack,
        form: OverlayForm = .trusted
    ) throws(LayerError) -> [LayerEntry] {
        try changesAndRewrites(in: upper, above: lower, form: form).entries
    }

    /// The same, and how many bytes belong to files of which owner or mode alone changed.
    ///
    /// - Throws: what ``changes(in:above:)`` throws.
    public static func changesAndRewrites(
        in upper: Directory,
        above lower: LayerStack,
        form: OverlayForm = .trusted
    ) throws(LayerError) -> (entries: [LayerEntry], rewrittenBytes: Int64) {
        var walk = UpperWalk(upper: upper, lower: lower, form: form)
        try walk.run()
        return (HardLinks.resolve(walk.changes), walk.rewrittenBytes)
    }
}

/// A changed path, before hard links are sorted out.
struct Change {
    /// What tells that two names are one file.
    struct Identity: Hashable {
        let device: UInt64
        let inode: UInt64
    }

    var entry: LayerEntry
    /// Set for a file with several names.
    var identity: Identity?
    /// Whether it is as it was below; kept only if another name of it is listed.
    var isUnchanged: Bool
}

/// Makes one file and its hard links of the names that are the same file.
private enum HardLinks {
    static func resolve(_ changes: [Change]) -> [LayerEntry] {
        let sorted = changes.sorted { $0.entry.entry.path < $1.entry.entry.path }
        var names: [Change.Identity: Int] = [:]
        for change in sorted {
            if let identity = change.identity { names[identity, default: 0] += 1 }
        }
        var first: [Change.Identity: ContainerPath] = [:]
        var entries: [LayerEntry] = []
        entries.reserveCapacity(sorted.count)
        for change in sorted {
            guard let identity = change.identity, names[identity, default: 0] > 1 else {
                if !change.isUnchanged { entries.append(change.entry) }
                continue
            }
            guard let target = first[identity] else {
                first[identity] = change.entry.entry.path
                entries.append(change.entry)
                continue
            }
            var link = change.entry
            link.entry.kind = .hardLink(target: target)
            // The attributes are the file's, and said with it.
            link.entry.attributes = []
            link.content = .none
            entries.append(link)
        }
        return entries
    }
}
