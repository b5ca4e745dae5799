/// Where a file's bytes are.
public enum ContentSource: Sendable {
    /// There are none: what is described is no regular file, or an empty one.
    case none
    /// In memory.
    case bytes([UInt8])
    /// In a file beneath a directory; where a version is given, it must be that one when it is read.
    case file(Directory, ContainerPath, version: FileVersion? = nil)
}

/// What tells one content of a file from another.
public struct FileVersion: Sendable, Hashable {
    private let inode: UInt64
    private let size: Int64
    private let modified: Timestamp
    private let changed: Timestamp

    /// The version that has this status.
    public init(_ status: FileStatus) {
        self.init(inode: status.inode, size: status.size, modified: status.modified, changed: status.changed)
    }

    /// The version of which the file system says this.
    public init(inode: UInt64, size: Int64, modified: Timestamp, changed: Timestamp) {
        self.inode = inode
        self.size = size
        self.modified = modified
        self.changed = changed
    }
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
