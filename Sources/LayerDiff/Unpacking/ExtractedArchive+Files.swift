extension ExtractedArchive {
    /// What stands at `path`, with a file's content, where symlinks and hard links lead that stand in the archive
    /// itself; `nil` where there is nothing.
    /// - Throws: ``LayerError`` where links go in a circle.
    public func entry(at path: ContainerPath) throws(LayerError) -> LayerEntry? {
        let resolved = try SymlinkResolution.resolve(path, followLast: true) { path in
            guard case .symlink(let target)? = find(path)?.entry.kind else { return .other }
            return .symlink(target: target)
        }
        guard let found = find(resolved) else { return nil }
        guard case .hardLink(let target) = found.entry.kind else { return found }
        return find(target)
    }

    private func find(_ path: ContainerPath) -> LayerEntry? {
        var (low, high) = (entries.startIndex, entries.endIndex)
        while low < high {
            let middle = low + (high - low) / 2
            if entries[middle].entry.path < path { low = middle + 1 } else { high = middle }
        }
        return low < entries.endIndex && entries[low].entry.path == path ? entries[low] : nil
    }
}
