/// What is known of a machine, as far as builds depend on it: found in one place, judged in another.
public struct MachineFacts: Sendable, Hashable {
    /// The effective user.
    public var uid: UInt32
    /// The user's name; empty where it is not known.
    public var userName = ""
    /// The kernel's release.
    public var kernel = ""
    /// What became of trying to make namespaces.
    public var namespaces = Namespaces()
    /// The ids that the user may map.
    public var ids = SubordinateIDs()
    /// What limits can be set by.
    public var cgroups = Cgroups()
    /// What leads out of a network namespace.
    public var network = NetworkHelpers()
    /// What confines steps.
    public var confinement = Confinement()
    /// What is used beside the kernel.
    public var programs = Programs()
    /// Where the state directory is.
    public var disk = Disk()

    /// Facts of which nothing is known yet.
    public init(uid: UInt32) { self.uid = uid }

    /// Whether the effective user is root.
    public var isRoot: Bool { uid == 0 }
}

extension MachineFacts {
    /// What came of trying something.
    public enum Trial: Sendable, Hashable {
        case worked
        /// The kernel's error number.
        case failed(Int32)
        /// Something before it failed, or it has no meaning for this user.
        case notTried
    }

    /// Namespaces and overlay file systems, really tried.
    public struct Namespaces: Sendable, Hashable {
        /// A user namespace.
        public var user = Trial.notTried
        /// The map of one id in it.
        public var idMap = Trial.notTried
        /// The other namespaces: of root in those of the machine, of others in a user namespace.
        public var others = Trial.notTried
        /// An overlay file system in the state directory, of root.
        public var overlay = Trial.notTried
        /// The same with an EROFS image in a file as its lower directory.
        public var imageOverlay = Trial.notTried
        /// The same in a user namespace.
        public var userOverlay = Trial.notTried
        /// `user.max_user_namespaces`.
        public var limit: Int?
        /// `kernel.unprivileged_userns_clone`, which Debian's kernels have.
        public var unprivilegedClone: Int?
        /// `kernel.apparmor_restrict_unprivileged_userns`, which Ubuntu's kernels have.
        public var appArmorRestricts: Int?
        /// Whether a system call filter is around this program.
        public var isFiltered = false
    }

    /// What a user may map into a user namespace.
    public struct SubordinateIDs: Sendable, Hashable {
        /// How many user ids.
        public var users: UInt64 = 0
        /// How many group ids.
        public var groups: UInt64 = 0
        /// `newuidmap`.
        public var userTool = Tool.missing
        /// `newgidmap`.
        public var groupTool = Tool.missing
    }

    /// A program that needs a right of its own.
    public enum Tool: Sendable, Hashable {
        case missing
        /// It is there, without the set-user-ID bit and file capabilities.
        case powerless(path: String)
        case usable(path: String)
    }

    /// Control groups.
    public struct Cgroups: Sendable, Hashable {
        /// The version that is mounted; 0 for none.
        public var version = 0
        /// The controllers that there are.
        public var controllers: [String] = []
        /// Those by which this user may set limits.
        public var delegated: [String] = []
    }

    /// Programs that give a network namespace a way out.
    public struct NetworkHelpers: Sendable, Hashable {
        /// The path of `pasta`.
        public var pasta: String?
        /// The path of `slirp4netns`.
        public var slirp: String?
        /// Whether `/dev/net/tun` can be opened.
        public var hasTunnelDevice = false
    }

    /// Security modules and filters.
    public struct Confinement: Sendable, Hashable {
        /// Whether the kernel has system call filters.
        public var hasSeccomp = false
        /// Whether AppArmor is on.
        public var hasAppArmor = false
        /// The profile of AppArmor that is around this program; `nil` for none.
        public var appArmorProfile: String?
        /// Whether SELinux enforces its rules; `nil` where it is off.
        public var enforcesSELinux: Bool?
        /// The version of Landlock; 0 for none.
        public var landlock = 0
    }

    /// Libraries and programs.
    public struct Programs: Sendable, Hashable {
        /// Whether libcurl can be loaded.
        public var hasCurl = false
        /// The path of `git`.
        public var git: String?
    }

    /// The file system of the state directory.
    public struct Disk: Sendable, Hashable {
        /// The state directory.
        public var path = ""
        /// The file system's type.
        public var type = ""
        /// The bytes that are free for this user.
        public var freeBytes: UInt64 = 0
        /// The inodes that are free; `nil` where the file system does not count them.
        public var freeInodes: UInt64?
        /// Whether files can be made there.
        public var writing = Trial.notTried
        /// Whether directories tell the types of what they hold, which overlay needs.
        public var hasTypes = false
        /// Whether `user.` attributes can be set.
        public var userAttributes = Trial.notTried
        /// Whether `trusted.` attributes can be set, as root.
        public var trustedAttributes = Trial.notTried
        /// Whether a whiteout, the device 0:0, can be made.
        public var whiteouts = Trial.notTried
    }
}
