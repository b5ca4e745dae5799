/// One path of a layer: what it is and its attributes, without the content.
public struct TreeEntry: Sendable, Hashable {
    /// What a path stands for.
    public enum Kind: Sendable, Hashable {
        /// A regular file of so many bytes.
        case file(size: Int64)
        /// A directory; an opaque one hides what lower layers have in it.
        case directory(opaque: Bool)
        /// A symlink and where it points, as written in it.
        case symlink(target: [UInt8])
        /// Another name of a file in the same layer.
        case hardLink(target: ContainerPath)
        /// A character device.
        case characterDevice(major: UInt32, minor: UInt32)
        /// A block device.
        case blockDevice(major: UInt32, minor: UInt32)
        /// A named pipe.
        case fifo
        /// Nothing: hides what lower layers have at this path.
        case whiteout
    }

    /// Where it is.
    public var path: ContainerPath
    /// What it is.
    public var kind: Kind
    /// The permission bits with set-uid, set-gid and sticky: 07777.
    public var mode: UInt16
    /// The owner's user id.
    public var uid: UInt32
    /// The owner's group id.
    public var gid: UInt32
    /// When the content last changed, in whole seconds since the epoch.
    public var modified: Int64
    /// The extended attributes, in byte order of their names.
    public var attributes: [ExtendedAttribute]

    /// Collects a path's facts; without more, it belongs to root and is as old as the epoch.
    public init(
        path: ContainerPath,
        kind: Kind,
        mode: UInt16,
        uid: UInt32 = 0,
        gid: UInt32 = 0,
        modified: Int64 = 0,
        attributes: [ExtendedAttribute] = []
    ) {
        self.path = path
        self.kind = kind
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.modified = modified
        self.attributes = attributes
    }

    /// The mark that `path` is gone: it has no attributes of its own.
    public static func whiteout(_ path: ContainerPath) -> TreeEntry {
        TreeEntry(path: path, kind: .whiteout, mode: 0)
    }

    /// A directory that nothing describes: owned by root, open to all.
    static func impliedDirectory(_ path: ContainerPath) -> TreeEntry {
        TreeEntry(path: path, kind: .directory(opaque: false), mode: 0o755)
    }

    /// Whether this is a directory.
    public var isDirectory: Bool {
        if case .directory = kind { return true }
        return false
    }

    /// How many bytes its names and attributes take.
    var textBytes: Int {
        var sum = path.bytes.count
        switch kind {
        case .symlink(let target): sum += target.count
        case .hardLink(let target): sum += target.bytes.count
        case .file, .directory, .characterDevice, .blockDevice, .fifo, .whiteout: break
        }
        for attribute in attributes { sum += attribute.name.count + attribute.value.count }
        return sum
    }

    /// Whether this hides what lower layers have beneath its path.
    var hidesBelow: Bool {
        if case .directory(let opaque) = kind { return opaque }
        return true
    }
}
