/// What a step may use of the machine, as far as cgroups limit it; what is `nil` is not limited.
public struct CgroupLimits: Sendable, Hashable {
    /// Memory in bytes, caches of files included.
    public var memory: UInt64?

    /// Memory and swap together; `nil` with a limit on memory allows as much swap as memory.
    public var memoryAndSwap: MemoryAndSwap?

    /// Processor time in each period, in microseconds.
    public var cpuQuota: UInt64?

    /// The length of a period, in microseconds.
    public var cpuPeriod: UInt64?

    /// The share of processor time where it is scarce, from 2 to 262144; 1024 is that of a cgroup without a limit.
    public var cpuShares: UInt64?

    /// The processors that the step runs on.
    public var cpus: CgroupNumberList?

    /// The nodes that its memory is taken from.
    public var memoryNodes: CgroupNumberList?

    /// How many processes and threads it may have.
    public var processes: UInt64?

    /// No limits.
    public init() {}

    /// A limit on memory and swap together.
    public enum MemoryAndSwap: Sendable, Hashable {
        /// As much swap as there is.
        case unlimited
        /// So many bytes, of which the limit on memory is a part.
        case bytes(UInt64)
    }
}

/// A controller of cgroups, by the kernel's name.
enum CgroupController: String, Sendable, Hashable, CaseIterable {
    case cpu, cpuacct, cpuset, memory, pids
}

extension CgroupLimits {
    /// One of the limits, by what it limits and the options that ask for it.
    public enum Name: String, Sendable, Hashable {
        /// ``CgroupLimits/memory``.
        case memory = "memory (--memory)"
        /// ``CgroupLimits/memoryAndSwap``.
        case swap = "memory and swap (--memory-swap)"
        /// ``CgroupLimits/cpuQuota`` and ``CgroupLimits/cpuPeriod``.
        case cpuTime = "processor time (--cpus, --cpu-quota, --cpu-period)"
        /// ``CgroupLimits/cpuShares``.
        case cpuShares = "the share of processor time (--cpu-shares)"
        /// ``CgroupLimits/cpus``.
        case cpus = "processors (--cpuset-cpus)"
        /// ``CgroupLimits/memoryNodes``.
        case memoryNodes = "memory nodes (--cpuset-mems)"
        /// ``CgroupLimits/processes``.
        case processes = "processes (--pids-limit)"

        var controller: CgroupController {
            switch self {
            case .memory, .swap: .memory
            case .cpuTime, .cpuShares: .cpu
            case .cpus, .memoryNodes: .cpuset
            case .processes: .pids
            }
        }
    }

    /// What is limited, in the order in which it is set.
    var names: [Name] {
        var names: [Name] = []
        if memory != nil { names.append(.memory) }
        if memoryAndSwap != nil { names.append(.swap) }
        if cpuQuota != nil || cpuPeriod != nil { names.append(.cpuTime) }
        if cpuShares != nil { names.append(.cpuShares) }
        if cpus != nil { names.append(.cpus) }
        if memoryNodes != nil { names.append(.memoryNodes) }
        if processes != nil { names.append(.processes) }
        return names
    }

    /// The controllers that the limits need, each once.
    var controllers: [CgroupController] {
        CgroupController.allCases.filter { controller in names.contains { $0.controller == controller } }
    }
}
