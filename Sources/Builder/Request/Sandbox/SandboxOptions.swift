import Exec
import OCI

/// What the sandboxes of RUN steps are given beside, or in place of, the defaults.
public struct SandboxOptions: Sendable, Hashable {
    /// Further lines of `/etc/hosts`, in the order given.
    public var hosts: [HostEntry] = []
    /// The size of `/dev/shm` in bytes; `nil` for the default.
    public var sharedMemorySize: UInt64?
    /// Limits of setrlimit(2), each resource once, by name.
    public var resourceLimits: [ResourceLimit] = []
    /// What each step may use of the machine, by cgroups.
    public var limits = CgroupLimits()
    /// The cgroup below which steps have theirs; `nil` for swbuild's own.
    public var cgroupParent: CgroupPath?
    /// The capabilities of the steps.
    public var capabilities = CapabilitySet.docker
    /// The system calls that steps may make.
    public var seccomp = SeccompChoice.default
    /// Whether set-user-ID programs and file capabilities give nothing more to those who run them.
    public var noNewPrivileges = false
    /// Device nodes of the host.
    public var devices: [HostDevice] = []
    /// The AppArmor profile of the steps.
    public var appArmor = AppArmorChoice.default
    /// The SELinux label of the steps; `nil` for that of the caller.
    public var seLinux: SELinuxLabel?
    /// What the build file may ask for.
    public var entitlements: [Entitlement] = []
    /// What runs the steps in place of swbuild's own sandbox; no part of any key, since it is not what a step is about.
    public var runtime: ContainerRuntime?

    /// The defaults.
    public init() {}
}

/// Which system call filter steps have.
public enum SeccompChoice: Sendable, Hashable {
    /// Docker's default profile.
    case `default`
    /// None.
    case unconfined
    /// The profile of a file.
    case profile(SeccompProfileFile)
}

/// What a build file gets only where the command line allows it.
public enum Entitlement: String, Sendable, Hashable, CaseIterable {
    /// `RUN --network=host`.
    case networkHost = "network.host"
    /// `RUN --security=insecure`.
    case securityInsecure = "security.insecure"
}

extension SandboxOptions {
    /// Whether the build file may ask for something.
    func allows(_ entitlement: Entitlement) -> Bool { entitlements.contains(entitlement) }

    /// Where the steps' cgroups are made; `nil` where nothing asks for them.
    ///
    /// They are not free: entering one waits for the kernel, longer than all else that starts a step on a busy machine.
    func prepareCgroups() throws -> CgroupParent? {
        guard limits != CgroupLimits() || cgroupParent != nil else { return nil }
        return try CgroupParent.prepare(limits, below: cgroupParent)
    }

    /// What the step's commands can see of the options, as fields of its key; none for the defaults, so that these cost
    /// no step its place in the cache.
    ///
    /// Cgroups are not among them: they decide how fast a step ends and whether, not what it leaves.
    func keyFields(isInsecure: Bool) -> [(name: String, values: [String])] {
        var fields: [(name: String, values: [String])] = []
        if !hosts.isEmpty { fields.append(("hosts", hosts.map(\.description))) }
        if let sharedMemorySize { fields.append(("shared memory", ["\(sharedMemorySize)"])) }
        if !resourceLimits.isEmpty { fields.append(("limits", resourceLimits.map(\.description))) }
        if !devices.isEmpty { fields.append(("devices", devices.map(\.description))) }
        if noNewPrivileges { fields.append(("no new privileges", ["true"])) }
        if case .profile(let name) = appArmor { fields.append(("AppArmor profile", [name])) }
        if let seLinux { fields.append(("SELinux label", [seLinux.context])) }
        if isInsecure {
            fields.append(("security", ["insecure"]))
            return fields
        }
        if capabilities != .docker { fields.append(("capabilities", capabilities.names)) }
        switch seccomp {
        case .default: break
        case .unconfined: fields.append(("system call filter", ["none"]))
        case .profile(let file): fields.append(("system call filter", [file.digest.description]))
        }
        return fields
    }

    /// Gives a step's sandbox what the options say.
    ///
    /// An insecure step has every capability and no filter, as `RUN --security=insecure` of BuildKit has.
    func apply(to plan: inout SandboxPlan, isInsecure: Bool, filter: SeccompPolicy) {
        if let sharedMemorySize { plan.sharedMemorySize = sharedMemorySize }
        plan.resourceLimits = resourceLimits
        plan.noNewPrivileges = noNewPrivileges
        plan.isPrivileged = isInsecure
        plan.labels = labels(isInsecure: isInsecure, on: .host)
        plan.capabilities = isInsecure ? .all : capabilities
        plan.seccomp = isInsecure ? .unconfined : filter
    }
}
