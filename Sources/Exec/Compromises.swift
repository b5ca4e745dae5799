/// What of a sandbox is weaker than it would be, had the kernel allowed more.
public struct Compromises: OptionSet, Sendable, Hashable {
    /// The bits that the child reports.
    public let rawValue: UInt32

    /// The compromises with these bits.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Files in memory, as secrets are, may be swapped out to a disk.
    public static let swap = Compromises(rawValue: 1)
    /// `/sys` is that of the host, read-only.
    public static let hostSystemInformation = Compromises(rawValue: 2)
    /// The step has the session keyring of the caller.
    public static let sharedKeyring = Compromises(rawValue: 4)
    /// The step's root was moved over that of the host.
    public static let movedRoot = Compromises(rawValue: 8)
    /// Sockets and pipes of a context that is mounted lead to the programs of the host.
    public static let openContext = Compromises(rawValue: 16)
}
