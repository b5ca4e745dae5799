/// The user and the groups of a process, by number.
public struct Credentials: Sendable, Hashable {
    /// The real, effective and saved user.
    public var uid: UInt32

    /// The real, effective and saved group.
    public var gid: UInt32

    /// The further groups.
    public var supplementaryGroups: [UInt32]

    /// The credentials of a user with a primary and further groups.
    public init(uid: UInt32, gid: UInt32, supplementaryGroups: [UInt32] = []) {
        self.uid = uid
        self.gid = gid
        self.supplementaryGroups = supplementaryGroups
    }

    /// User and group 0, no further groups.
    public static let root = Credentials(uid: 0, gid: 0)
}

/// The maps of a user namespace.
public struct IDMaps: Sendable, Hashable {
    /// A run of ids, as inside the namespace and as outside of it.
    public struct Range: Sendable, Hashable {
        /// The first id inside the namespace.
        public var inside: UInt32

        /// What that id is outside.
        public var outside: UInt32

        /// How many ids follow each other.
        public var count: UInt32

        /// A run of `count` ids.
        public init(inside: UInt32, outside: UInt32, count: UInt32) {
            self.inside = inside
            self.outside = outside
            self.count = count
        }
    }

    /// The map of user ids.
    public var users: [Range]

    /// The map of group ids.
    public var groups: [Range]

    /// Maps for users and for groups.
    public init(users: [Range], groups: [Range]) {
        self.users = users
        self.groups = groups
    }
}

extension [IDMaps.Range] {
    /// The text that the kernel takes in `/proc/PID/uid_map` and `gid_map` (user_namespaces(7)).
    var mapText: String {
        map { "\($0.inside) \($0.outside) \($0.count)\n" }.joined()
    }

    /// What an id inside the namespace is outside; nil when it is mapped to nothing.
    func outside(_ id: UInt32) -> UInt32? {
        for range in self where id >= range.inside && id - range.inside < range.count {
            return range.outside + (id - range.inside)
        }
        return nil
    }
}
