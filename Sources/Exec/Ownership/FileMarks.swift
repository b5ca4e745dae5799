/// How what a file cannot be is written on it: as extended attributes.
///
/// The room that writes layers knows their names and forms, and reads them back.
public struct FileMarks: Sendable {
    /// An attribute of a file.
    public struct Mark: Sendable, Hashable {
        /// The name with its namespace.
        public var name: String
        /// The value.
        public var value: [UInt8]

        /// A mark of this name and value.
        public init(name: String, value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    /// A device's number and kind.
    public struct Device: Sendable, Hashable {
        /// Whether it is a block device; else a character device.
        public var isBlockDevice: Bool
        /// The major number.
        public var major: UInt32
        /// The minor number.
        public var minor: UInt32

        /// A device of this kind and number.
        public init(isBlockDevice: Bool, major: UInt32, minor: UInt32) {
            self.isBlockDevice = isBlockDevice
            self.major = major
            self.minor = minor
        }
    }

    /// The mark on a file that stands for a device node.
    public var device: @Sendable (Device) -> Mark
    /// The device that the value of such a mark means.
    public var readDevice: @Sendable ([UInt8]) -> Device?
    /// The mark for an owner.
    public var owner: @Sendable (FileOwner) -> Mark
    /// The owner that the value of such a mark means.
    public var readOwner: @Sendable ([UInt8]) -> FileOwner?

    /// Marks that these functions write and read.
    public init(
        device: @escaping @Sendable (Device) -> Mark,
        readDevice: @escaping @Sendable ([UInt8]) -> Device?,
        owner: @escaping @Sendable (FileOwner) -> Mark,
        readOwner: @escaping @Sendable ([UInt8]) -> FileOwner?
    ) {
        self.device = device
        self.readDevice = readDevice
        self.owner = owner
        self.readOwner = readOwner
    }
}

/// The user and the group of a file.
public struct FileOwner: Sendable, Hashable {
    /// The user.
    public var uid: UInt32
    /// The group.
    public var gid: UInt32

    /// An owner with these ids.
    public init(uid: UInt32, gid: UInt32) {
        self.uid = uid
        self.gid = gid
    }

    /// User and group 0.
    public static let root = FileOwner(uid: 0, gid: 0)
}
