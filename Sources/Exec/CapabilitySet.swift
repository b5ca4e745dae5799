/// A set of Linux capabilities (capabilities(7)).
public struct CapabilitySet: OptionSet, Sendable, Hashable {
    /// One bit for each capability, at its number in `linux/capability.h`.
    public let rawValue: UInt64

    /// The set with these bits.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    private init(number: UInt64) {
        rawValue = 1 << number
    }

    /// Change the owner of files.
    public static let chown = CapabilitySet(number: 0)
    /// Pass over the permissions of files.
    public static let dacOverride = CapabilitySet(number: 1)
    /// Pass over the permissions for reading files and searching directories, and open files by handle.
    public static let dacReadSearch = CapabilitySet(number: 2)
    /// Do with files of others what else only the owner may.
    public static let fowner = CapabilitySet(number: 3)
    /// Keep the set-user-ID and set-group-ID bits of a file that changes.
    public static let fsetid = CapabilitySet(number: 4)
    /// Send signals to processes of others.
    public static let kill = CapabilitySet(number: 5)
    /// Change the groups of the process.
    public static let setgid = CapabilitySet(number: 6)
    /// Change the user of the process.
    public static let setuid = CapabilitySet(number: 7)
    /// Drop capabilities from the bounding set.
    public static let setpcap = CapabilitySet(number: 8)
    /// Listen on ports below 1024.
    public static let netBindService = CapabilitySet(number: 10)
    /// Configure networks.
    public static let netAdmin = CapabilitySet(number: 12)
    /// Use raw sockets.
    public static let netRaw = CapabilitySet(number: 13)
    /// Load kernel modules.
    public static let sysModule = CapabilitySet(number: 16)
    /// Use input and output ports.
    public static let sysRawIO = CapabilitySet(number: 17)
    /// Change the root directory of the process.
    public static let sysChroot = CapabilitySet(number: 18)
    /// Trace processes of others.
    public static let sysPtrace = CapabilitySet(number: 19)
    /// Turn process accounting on and off.
    public static let sysPacct = CapabilitySet(number: 20)
    /// Administer the system: mounts, namespaces, and much besides.
    public static let sysAdmin = CapabilitySet(number: 21)
    /// Restart the machine.
    public static let sysBoot = CapabilitySet(number: 22)
    /// Raise priorities, place memory.
    public static let sysNice = CapabilitySet(number: 23)
    /// Set the clock.
    public static let sysTime = CapabilitySet(number: 25)
    /// Administer terminals.
    public static let sysTTYConfig = CapabilitySet(number: 26)
    /// Make device nodes.
    public static let mknod = CapabilitySet(number: 27)
    /// Write to the audit log.
    public static let auditWrite = CapabilitySet(number: 29)
    /// Set the capabilities of files.
    public static let setfcap = CapabilitySet(number: 31)
    /// Read the kernel's log.
    public static let syslog = CapabilitySet(number: 34)

    /// The capabilities that Docker leaves a container.
    public static let docker: CapabilitySet = [
        .chown, .dacOverride, .fowner, .fsetid, .kill, .setgid, .setuid, .setpcap, .netBindService, .netRaw,
        .sysChroot, .mknod, .auditWrite, .setfcap,
    ]
}
