/// What a step may use of one of the resources of setrlimit(2).
public struct ResourceLimit: Sendable, Hashable {
    /// The resource.
    public var resource: Resource

    /// What counts until the step raises it.
    public var soft: UInt64

    /// How far the step may raise it.
    public var hard: UInt64

    /// A limit of a resource; `unlimited` is none.
    public init(_ resource: Resource, soft: UInt64, hard: UInt64) {
        self.resource = resource
        self.soft = soft
        self.hard = hard
    }

    /// RLIM_INFINITY.
    public static let unlimited = UInt64.max
}

extension ResourceLimit {
    /// A resource by the name that `ulimit` options of container engines have for it, without `RLIMIT_`.
    public enum Resource: String, Sendable, Hashable, CaseIterable {
        /// The size of a core file, in bytes.
        case core
        /// Processor time, in seconds.
        case cpu
        /// The size of the data segment, in bytes.
        case data
        /// The size of a file that is written, in bytes.
        case fsize
        /// File locks (of old kernels).
        case locks
        /// Memory that is locked, in bytes.
        case memlock
        /// The messages in the queues of a user, in bytes.
        case msgqueue
        /// How far the nice value may be lowered.
        case nice
        /// One more than the highest descriptor.
        case nofile
        /// The processes of a user.
        case nproc
        /// Resident memory (of old kernels).
        case rss
        /// The priority of real-time scheduling.
        case rtprio
        /// Processor time under real-time scheduling, in microseconds.
        case rttime
        /// The signals that wait for a user's processes.
        case sigpending
        /// The size of the stack, in bytes.
        case stack

        /// The number in `asm-generic/resource.h`, the same on every machine that this program runs on.
        var number: UInt32 {
            switch self {
            case .cpu: 0
            case .fsize: 1
            case .data: 2
            case .stack: 3
            case .core: 4
            case .rss: 5
            case .nproc: 6
            case .nofile: 7
            case .memlock: 8
            case .locks: 10
            case .sigpending: 11
            case .msgqueue: 12
            case .nice: 13
            case .rtprio: 14
            case .rttime: 15
            }
        }
    }
}

extension ResourceLimit: CustomStringConvertible {
    /// `NAME=SOFT:HARD`.
    public var description: String {
        func text(_ value: UInt64) -> String { value == Self.unlimited ? "unlimited" : "\(value)" }
        return "\(resource.rawValue)=\(text(soft)):\(text(hard))"
    }
}
