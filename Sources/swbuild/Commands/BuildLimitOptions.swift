import ArgumentParser
import Builder

/// What each RUN step, or the container of `swbuild run`, may use of the machine.
struct BuildLimitOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "The memory of a step or container, such as 2g.")
    var memory: String?

    // Unconditional: -1 is a value, not an option.
    @Option(
        name: .long,
        parsing: .unconditional,
        help: "Memory and swap of a step or container together; -1 for all swap (default: twice --memory)."
    )
    var memorySwap: String?

    @Option(name: .long, help: "How many processors' time a step or container gets, such as 1.5.")
    var cpus: String?

    @Option(
        name: [.long, .customShort("c")],
        help: "The share of processor time of a step or container, against 1024."
    )
    var cpuShares: String?

    @Option(name: .long, help: "The period of --cpu-quota in microseconds (default: 100000).")
    var cpuPeriod: String?

    @Option(
        name: .long,
        parsing: .unconditional,
        help: "The processor time of a step or container in each period, in microseconds."
    )
    var cpuQuota: String?

    @Option(name: .customLong("cpuset-cpus"), help: "The processors of steps or the container, such as 0-3,8.")
    var cpusetCPUs: String?

    @Option(name: .customLong("cpuset-mems"), help: "The memory nodes of steps or the container, such as 0,1.")
    var cpusetMems: String?

    @Option(
        name: .long,
        parsing: .unconditional,
        help: "How many processes and threads a step or container may have."
    )
    var pidsLimit: String?

    @Option(name: .long, help: "The cgroup below which steps and containers have theirs (default: swbuild's own).")
    var cgroupParent: String?

    /// Fills in what the options say.
    func fill(_ request: inout BuildRequest) throws {
        var texts = LimitOptionTexts()
        texts.memory = memory
        texts.memorySwap = memorySwap
        texts.cpus = cpus
        texts.cpuShares = cpuShares
        texts.cpuPeriod = cpuPeriod
        texts.cpuQuota = cpuQuota
        texts.cpusetCPUs = cpusetCPUs
        texts.cpusetMems = cpusetMems
        texts.pidsLimit = pidsLimit
        texts.cgroupParent = cgroupParent
        try request.sandbox.setLimits(texts)
    }
}
