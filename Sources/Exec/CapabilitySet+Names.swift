extension CapabilitySet {
    /// The names of all capabilities without `CAP_`, each at its number in `linux/capability.h`.
    public static let names = [
        "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
        "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
        "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
        "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
        "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
        "CHECKPOINT_RESTORE",
    ]

    /// Every capability that has a name here; a kernel that lacks one passes over it.
    public static let all = CapabilitySet(rawValue: (1 << UInt64(names.count)) - 1)

    /// The one capability of this name, with or without `CAP_`, in letters of either case; nil when there is none.
    public init?(name: String) {
        var name = name.uppercased()
        if name.hasPrefix("CAP_") { name.removeFirst(4) }
        guard let number = Self.names.firstIndex(of: name) else { return nil }
        self.init(rawValue: 1 << UInt64(number))
    }

    /// The names of the capabilities in the set, by rising number.
    public var names: [String] {
        Self.names.enumerated().filter { rawValue >> UInt64($0.offset) & 1 != 0 }.map(\.element)
    }
}
