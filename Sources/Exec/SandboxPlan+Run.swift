import Glibc

extension SandboxPlan {
    /// Runs the step, and returns when its command has ended and none of its processes is left.
    ///
    /// Blocks the calling thread, which must live until this returns: when it ends, the kernel kills the step, so that
    /// no step outlives the program. Output is handed on as it comes, on the calling thread. Processes that the command
    /// leaves behind are killed with it.
    ///
    /// - Parameters:
    ///   - cancellation: Kills the step when it happens; the outcome is then that of SIGKILL.
    ///   - supervision: Answers some of the step's system calls; without it, none is asked about.
    ///   - output: Takes what the step writes, in pieces; the bytes are valid during the call only.
    /// - Returns: How the command ended, and what it used.
    /// - Throws: `SandboxError` when the command could not be started.
    public func run(
        cancellation: Cancellation,
        supervision: Supervision? = nil,
        output: (OutputStream, UnsafeRawBufferPointer) -> Void
    ) throws(SandboxError) -> StepOutcome {
        let plan = try LoweredPlan(self, supervised: supervision?.filter)
        if cancellation.isCancelled { return StepOutcome(status: .signaled(SIGKILL)) }
        let step = try RunningStep.start(plan, supervision)
        try step.follow(cancellation: cancellation, output: output)
        return try step.outcome(of: plan)
    }
}
