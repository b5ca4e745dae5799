/// Where a file's bytes are.
public enum ContentSource: Sendable {
    /// There are none: what is described is no regular file, or an empty one.
    case none
    /// In memory.
    case bytes([UInt8])
    /// In a file beneath a directory.
    case file(Directory, ContainerPath)
}

/// One path of a layer that is to be written, with its content.
public struct LayerEntry: Sendable {
    /// What is said of the path.
    public var entry: TreeEntry
    /// Where the bytes come from, for a regular file.
    public var content: ContentSource

    /// Pairs an entry with its content.
    public init(entry: TreeEntry, content: ContentSource = .none) {
        self.entry = entry
        self.content = content
    }
}
