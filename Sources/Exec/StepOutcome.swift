/// How a process ended.
public enum ExitStatus: Sendable, Hashable {
    /// It ended by itself with this status.
    case exited(Int32)

    /// This signal ended it.
    case signaled(Int32)

    /// Reads a status as wait(2) reports it.
    init(waitStatus: Int32) {
        let signal = waitStatus & 0x7f
        self = signal == 0 ? .exited((waitStatus >> 8) & 0xff) : .signaled(signal)
    }
}

/// What a step that was started came to.
public struct StepOutcome: Sendable, Hashable {
    /// How the command ended.
    ///
    /// A step that was cancelled was ended by SIGKILL.
    public var status: ExitStatus

    /// The time its processes computed, in microseconds.
    public var userTime: UInt64

    /// The time the kernel computed for them, in microseconds.
    public var systemTime: UInt64

    /// The most memory that the step held, in bytes: all of it where a cgroup has measured it, else the largest process.
    ///
    /// Of a process the kernel counts the copy of this program that a step begins as: what is less than that shows as that.
    public var peakMemory: UInt64

    /// What the step's cgroup tells; `nil` where it had none.
    public var cgroup: CgroupFigures?

    /// When the command ran, in nanoseconds of the monotonic clock; `nil` where that is not known.
    public var period: Range<UInt64>?

    /// What was done in a weaker way than it would have been, had the kernel allowed it.
    public var compromises: Compromises = []

    /// An outcome; without figures where they are not known.
    public init(status: ExitStatus, userTime: UInt64 = 0, systemTime: UInt64 = 0, peakMemory: UInt64 = 0) {
        self.status = status
        self.userTime = userTime
        self.systemTime = systemTime
        self.peakMemory = peakMemory
    }

    /// Takes over what a cgroup has measured: it knows of all processes, also of those that nobody has waited for.
    mutating func take(_ figures: CgroupFigures) {
        cgroup = figures
        peakMemory = figures.peakMemory ?? peakMemory
        userTime = figures.userTime ?? userTime
        systemTime = figures.systemTime ?? systemTime
    }
}

/// The stream of a step on which a piece of output came.
public enum OutputStream: Sendable, Hashable {
    /// Descriptor 1 of the step.
    case standardOutput

    /// Descriptor 2 of the step.
    case standardError
}
