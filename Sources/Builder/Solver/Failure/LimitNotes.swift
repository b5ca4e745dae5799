import Exec

/// Says which limits of its cgroup a step has run into.
struct LimitNotes {
    let limits: CgroupLimits
    let outcome: StepOutcome
    /// What ran into them.
    var subject = "the step"

    /// One sentence for each limit; none without a cgroup.
    var all: [String] { [memory, processes].compactMap { $0 } }

    private var memory: String? {
        guard let figures = outcome.cgroup, let kills = figures.outOfMemoryKills, kills > 0 else { return nil }
        let ended = kills == 1 ? "a process" : "\(kills) processes"
        let peak = StepUsage(outcome).memoryText
        guard let limit = limits.memory, hasReached(limit) else {
            return
                "the kernel ended \(ended) of \(subject) for want of memory, which \(subject)'s own limit did not cause: "
                + "it ran out in a cgroup above, or on the machine; \(peak)"
        }
        return "it ran out of memory: the kernel ended \(ended) of \(subject) at its limit of \(Self.text(limit)) "
            + "(--memory)\(swap); \(peak)"
    }

    /// Whether the step's own limit is the one that was reached.
    ///
    /// Version 1 does not count the hits on the limit of memory and swap together: there the peak tells, which may stay
    /// below the limit by what the kernel asks for at once.
    private func hasReached(_ limit: UInt64) -> Bool {
        guard let figures = outcome.cgroup, figures.memoryLimitHits ?? 0 == 0, let peak = figures.peakMemory else {
            return true
        }
        return peak >= limit - limit / 16
    }

    private var swap: String {
        switch limits.memoryAndSwap {
        case .bytes(let total): ", \(Self.text(total)) with swap (--memory-swap)"
        case .unlimited, nil: ""
        }
    }

    private var processes: String? {
        guard let refused = outcome.cgroup?.refusedProcesses, refused > 0 else { return nil }
        let times = refused == 1 ? "once" : "\(refused) times"
        guard let limit = limits.processes else {
            return "the kernel refused \(subject) a process or thread \(times): a cgroup above has reached its limit"
        }
        return
            "it reached its limit of \(limit) processes and threads (--pids-limit), and was refused one more \(times)"
    }

    /// Bytes as they are given to options.
    private static func text(_ bytes: UInt64) -> String {
        for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")]
        where bytes > 0 && bytes % (1 << UInt64(shift)) == 0 {
            return "\(bytes >> UInt64(shift)) \(unit)"
        }
        return "\(bytes) bytes"
    }
}
