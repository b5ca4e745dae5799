import Exec
import OCI

/// What the command of a step used of the machine.
public struct StepUsage: Sendable, Hashable {
    /// The time its processes computed, in seconds.
    public var userSeconds: Double
    /// The time the kernel computed for them, in seconds.
    public var systemSeconds: Double
    /// The most memory that was held at once, in bytes.
    public var memory: UInt64
    /// Whether that is the memory of the whole step, measured by a cgroup, and not of its largest process alone.
    public var isWholeStep: Bool

    /// Both kinds of processor time.
    public var cpuSeconds: Double { userSeconds + systemSeconds }

    /// The memory in words, in whole MiB.
    public var mebibytes: String { "\(max(1, (memory &+ 1 << 19) >> 20)) MiB" }

    /// The members that tell programs.
    public var json: [String: JSONValue] {
        [
            "user_seconds": .number(userSeconds), "system_seconds": .number(systemSeconds),
            "peak_memory": .integer(Int64(clamping: memory)),
            "peak_memory_of": .string(isWholeStep ? "step" : "largest process"),
        ]
    }
}

extension StepUsage {
    init(_ outcome: StepOutcome) {
        userSeconds = Double(outcome.userTime) / 1e6
        systemSeconds = Double(outcome.systemTime) / 1e6
        memory = outcome.peakMemory
        isWholeStep = outcome.cgroup?.peakMemory != nil
    }

    /// The memory in words of a sentence.
    var memoryText: String { "\(isWholeStep ? "at its peak it" : "its largest process") held \(mebibytes)" }
}
