/// Everything that decides how a build step runs, as a value: what it sees, what it may do, what it executes.
///
/// A plan says nothing about how that is brought about; `run(cancellation:output:)` does it.
public struct SandboxPlan: Sendable, Hashable {
    /// The step's root file system, mounted inside its own mount namespace: nothing of it is left when the step ends.
    public var root: Overlay

    /// What is mounted into the root, in this order, after `/proc`, `/sys` and `/dev`.
    public var mounts: [Mount]

    /// The host name that the step sees.
    public var hostname: String

    /// The network that the step can reach.
    public var network: Network

    /// The maps of a user namespace for the step; without them it stays in the user namespace of the caller.
    public var idMaps: IDMaps?

    /// The ids that the caller has, where it is root of a user namespace itself; else all.
    public var availableIDs: IDMaps?

    /// The user and the groups that the step runs as.
    public var credentials: Credentials

    /// The bounding set of the step; for user 0 the effective and permitted sets too.
    ///
    /// Other users start without any.
    public var capabilities: CapabilitySet

    /// The system calls that the step may make.
    public var seccomp: SeccompPolicy

    /// A directory of the host in which the compiled filter is kept for later steps and processes.
    ///
    /// It must belong to the effective user, who alone may write to it; else, or without one, each process compiles the
    /// filter for itself.
    public var seccompDirectory: String?

    /// Whether set-user-ID programs and file capabilities give nothing more to those who run them.
    public var noNewPrivileges: Bool

    /// What the kernel's security modules put on the step's program.
    public var labels: [ExecLabel] = []

    /// The directory inside the root where the step starts; made, owned by root and with mode 0755, when it is missing.
    public var workingDirectory: String

    /// The program and its arguments.
    ///
    /// A program without a slash is looked up in the `PATH` of `environment`.
    public var arguments: [String]

    /// The environment, as `NAME=value`, in this order, and nothing beside it.
    public var environment: [String]

    /// The file mode creation mask that the step starts with.
    public var umask: UInt32

    /// The size of `/dev/shm`, in bytes.
    public var sharedMemorySize: UInt64 = 64 << 20

    /// The limits of setrlimit(2) that are the step's own; the others are those of the caller.
    public var resourceLimits: [ResourceLimit] = []

    /// Whether the step may do to the machine what root may: nothing of `/proc` and `/sys` is hidden or read-only, there
    /// are further devices, and device nodes of the root can be opened.
    ///
    /// Capabilities and system calls are a matter of their own.
    public var isPrivileged = false

    /// What the command can read from its standard input, and whether it has a terminal.
    public var standardInput = StandardInput.empty

    /// Another program that confines and runs the command in place of this one.
    public var runtime: Runtime?

    /// A directory of the host that the sandbox's private files cover while it is set up; the root's work directory
    /// where there is none.
    var stagingDirectory: String?

    /// Mounts, of files, whose content is in the staging area before the step is known.
    var stagedMounts: [Mount] = []

    /// A cgroup version 2 directory of the host in which the step starts its life.
    public var cgroupDirectory: String?

    /// Cgroup version 1 directories of the host that the step's first process is put into before it does anything.
    public var legacyCgroupDirectories: [String] = []

    /// A plan with the defaults of a build step: root's user with Docker's capabilities and system calls, no network.
    public init(
        root: Overlay,
        mounts: [Mount] = [],
        hostname: String = "swbuild",
        network: Network = .none,
        idMaps: IDMaps? = nil,
        credentials: Credentials = .root,
        capabilities: CapabilitySet = .docker,
        seccomp: SeccompPolicy = .docker,
        noNewPrivileges: Bool = false,
        workingDirectory: String = "/",
        arguments: [String],
        environment: [String] = [],
        umask: UInt32 = 0o022
    ) {
        self.root = root
        self.mounts = mounts
        self.hostname = hostname
        self.network = network
        self.idMaps = idMaps
        self.credentials = credentials
        self.capabilities = capabilities
        self.seccomp = seccomp
        self.seccompDirectory = nil
        self.noNewPrivileges = noNewPrivileges
        self.workingDirectory = workingDirectory
        self.arguments = arguments
        self.environment = environment
        self.umask = umask
        self.cgroupDirectory = nil
    }
}

extension SandboxPlan {
    /// The directories of the host that make up the step's root.
    public struct Overlay: Sendable, Hashable {
        /// The layers, the topmost first.
        ///
        /// Missing mount points stand as stubs in a directory put before them.
        public var lowerDirectories: [String]

        /// The directory that takes what the step changes: afterwards it is the layer.
        public var upperDirectory: String

        /// An empty directory on the file system of `upperDirectory`, for the kernel's own use.
        public var workDirectory: String

        /// Whether overlay keeps its marks in `user.overlay.*`: in user namespaces it must.
        public var userXattr: Bool

        /// Whether the work directory is the one that the staging area covers.
        var isCovered = false

        /// Whether device nodes in it can be opened.
        var opensDevices = false

        /// Whether it is mounted the way kernels before 6.5 need it, where the kernel would do without: for tests.
        var usesFormerMount = false

        /// An overlay of layers (the topmost first) under an upper directory.
        public init(
            lowerDirectories: [String],
            upperDirectory: String,
            workDirectory: String,
            userXattr: Bool = false
        ) {
            self.lowerDirectories = lowerDirectories
            self.upperDirectory = upperDirectory
            self.workDirectory = workDirectory
            self.userXattr = userXattr
        }
    }

    /// What a step can reach over the network.
    public enum Network: Sendable, Hashable {
        /// A network namespace of its own with nothing but the loopback interface.
        case none

        /// A network namespace that there is already, of the caller's user namespace: the plan has no maps of its own.
        case joined(NetworkNamespace)

        /// The network of the caller.
        case host
    }
}

extension SandboxPlan.Network {
    /// Whether the step's network namespace is made with it.
    var isNew: Bool { self == .none }

    /// The namespace that the step joins.
    var namespace: NetworkNamespace? {
        if case .joined(let namespace) = self { namespace } else { nil }
    }
}
