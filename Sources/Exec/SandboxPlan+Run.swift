import Glibc

extension SandboxPlan {
    /// Runs the step, and returns when its command has ended and none of its processes is left.
    ///
    /// The mounts of a step that ran on a lane may still be there: the lane's `remains` tell when they are gone.
    ///
    /// Blocks the calling thread, which must live until this returns: when it ends, the kernel kills the step, so that
    /// no step outlives the program. Output is handed on as it comes, on the calling thread. Processes that the command
    /// leaves behind are killed with it.
    ///
    /// - Parameters:
    ///   - cancellation: Kills the step when it happens; the outcome is then that of SIGKILL.
    ///   - supervision: Answers some of the step's system calls; without it, none is asked about.
    ///   - lane: Prepares sandboxes; this step uses one where that can be, and then nobody else uses the lane.
    ///   - output: Takes what the step writes, in pieces; the bytes are valid during the call only.
    /// - Returns: How the command ended, and what it used.
    /// - Throws: `SandboxError` when the command could not be started.
    public func run(
        cancellation: Cancellation,
        supervision: Supervision? = nil,
        lane: SandboxLane? = nil,
        output: (OutputStream, UnsafeRawBufferPointer) -> Void
    ) throws(SandboxError) -> StepOutcome {
        let remains = lane?.remains
        let lane = lane.flatMap { $0.serves(self) ? $0 : nil }
        var described = self
        if let lane {
            described.stagingDirectory = lane.directory
            described.stagedMounts = lane.stagedMounts
        }
        let plan = try LoweredPlan(
            described,
            supervised: supervision?.filter,
            part: lane.map { .rest(after: $0.preparedCount) } ?? .all
        )
        if cancellation.isCancelled { return StepOutcome(status: .signaled(SIGKILL)) }
        remains?.wait()
        let step =
            if let lane {
                try RunningStep.start(plan, supervision, in: lane.take(), cancellation)
            } else {
                try RunningStep.start(plan, supervision, until: .cancelled(cancellation))
            }
        let mounts = lane?.remains.hold(mountsOf: step.process)
        try step.follow(cancellation: cancellation, output: output)
        let outcome = try step.outcome(of: plan)
        // Not before: process 1 is gone by now, and what it wrote is read while they go.
        _ = consume mounts
        return outcome
    }

    /// Runs the step as `run(cancellation:supervision:output:)` does, in cgroups that are made for it and removed afterwards.
    ///
    /// - Parameters:
    ///   - parent: Where the cgroups are made; without one the step stays in the caller's.
    ///   - cancellation: Kills the step when it happens; the outcome is then that of SIGKILL.
    ///   - supervision: Answers some of the step's system calls; without it, none is asked about.
    ///   - lane: Prepares sandboxes; not for steps with cgroups of their own.
    ///   - output: Takes what the step writes, in pieces; the bytes are valid during the call only.
    /// - Returns: How the command ended, and what it used.
    /// - Throws: `SandboxError` when the command could not be started, `CgroupError` when it could not be limited.
    public func run(
        below parent: CgroupParent?,
        cancellation: Cancellation,
        supervision: Supervision? = nil,
        lane: SandboxLane? = nil,
        output: (OutputStream, UnsafeRawBufferPointer) -> Void
    ) throws -> StepOutcome {
        guard let parent else {
            return try run(cancellation: cancellation, supervision: supervision, lane: lane, output: output)
        }
        return try inCgroup(below: parent) { plan in
            try plan.run(cancellation: cancellation, supervision: supervision, output: output)
        }
    }

    /// Runs the plan in cgroups that are made for it and removed afterwards.
    func inCgroup(below parent: CgroupParent, _ run: (SandboxPlan) throws -> StepOutcome) throws -> StepOutcome {
        let cgroup = try parent.makeStepCgroup()
        defer { cgroup.remove() }
        var plan = self
        plan.cgroupDirectory = cgroup.unifiedDirectory
        plan.legacyCgroupDirectories = cgroup.legacyDirectories
        var outcome = try run(plan)
        outcome.take(cgroup.figures())
        return outcome
    }
}
