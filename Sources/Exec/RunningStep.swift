import CShims
import Glibc
import SystemPackage

/// A step that was started and has not been waited for: its PID 1, and this program's ends of its pipes.
struct RunningStep: ~Copyable {
    let process: pid_t
    let processDescriptor: Descriptor
    let ends: Ends
    /// Where the step's input goes; none where it has no input.
    let input: InputEnd
    /// The cgroup version 2 that the step is in, or none.
    private let cgroup: Descriptor
    private var isReaped = false

    /// This program's ends of what connects it with the step.
    struct Ends: ~Copyable {
        let standardOutput: Descriptor
        let standardError: Descriptor
        let reports: Descriptor
        /// Who hears of the step's calls.
        let calls: CallListener?
    }

    var listener: CallListener? { ends.calls }

    deinit {
        guard !isReaped else { return }
        kill()
        _ = wait4(process, nil, CInt(bitPattern: UInt32(__WALL)), nil)
    }

    /// Ends every process of the step.
    ///
    /// The kernel kills the rest when process 1 ends; a cgroup has no process that could be a moment longer.
    borrowing func kill() {
        if cgroup.number >= 0 {
            let file = Descriptor(openat(cgroup.number, "cgroup.kill", O_WRONLY | O_CLOEXEC))
            if file.number >= 0 { _ = Glibc.write(file.number, "1", 1) }
        }
        _ = swb_pidfd_kill(processDescriptor.number, SIGKILL)
    }
}

// MARK: - Starting

extension RunningStep {
    /// Starts a step, which a reason may end before it is set up.
    static func start(
        _ plan: LoweredPlan,
        _ supervision: Supervision?,
        until reason: SetUpWatch.Reason
    ) throws(SandboxError) -> RunningStep {
        let streams = try StepStreams.make()
        let gate = try attempt(.standardStreams) { () throws(Errno) in try Pipe() }
        // Set before the child has it: it waits at the gate.
        _ = fcntl(gate.reader.number, F_SETFL, 0)
        try streams.give(to: plan.plan)
        let cgroup = try cgroup(plan.plan.cgroupDirectory)
        let input = try attempt(.standardStreams) { () throws(Errno) in try InputEnds(plan.plan.standardInput) }
        if let stepEnd = input.pipe { try StepStreams.give(stepEnd, to: plan.plan) }

        var lowered = plan.lowered
        streams.connect(&lowered, supervised: supervision != nil)
        let waits = plan.plan.idMaps != nil || !plan.plan.legacyCgroupDirectories.isEmpty
        lowered.gate = waits ? gate.reader.number : -1
        lowered.cgroup = cgroup.number
        lowered.standard_input = input.pipe ?? -1
        lowered.terminal = input.socket ?? -1
        let listener = try streams.listener(supervision)
        var process: pid_t = -1
        let watch = try SetUpWatch(reason)
        let failure = swb_spawn(&lowered, &process, watch.descriptor)
        let descriptor = watch.descriptor.pointee
        watch.end()
        guard failure == 0 else { throw SandboxError(.clone, code: failure) }
        let step = RunningStep(
            process: process,
            processDescriptor: Descriptor(descriptor),
            ends: streams.own(listener),
            input: input.takeOwn(),
            cgroup: cgroup
        )
        if waits { try step.open(gate.writer, for: plan.plan) }
        return step
    }

    /// Starts a step in a sandbox that is prepared for it; the plan says no more than such a sandbox can do.
    static func start(
        _ plan: LoweredPlan,
        _ supervision: Supervision?,
        in sandbox: PreparedSandbox,
        _ cancellation: Cancellation
    ) throws(SandboxError) -> RunningStep {
        let started = try sandbox.hand(plan, supervision, cancellation)
        return RunningStep(
            process: started.process,
            processDescriptor: started.descriptor,
            ends: started.ends,
            input: InputEnd(-1),
            cgroup: Descriptor(-1)
        )
    }

    private static func attempt<Value: ~Copyable>(
        _ stage: SandboxError.Stage,
        _ body: () throws(Errno) -> Value
    ) throws(SandboxError) -> Value {
        do {
            return try body()
        } catch {
            throw SandboxError(stage, error)
        }
    }

    private static func cgroup(_ directory: String?) throws(SandboxError) -> Descriptor {
        guard let directory else { return Descriptor(-1) }
        let number = swb_open_directory(directory)
        guard number >= 0 else { throw SandboxError(.operation("open the cgroup \(directory)"), code: -number) }
        return Descriptor(number)
    }

    /// Puts the child into its cgroups, writes its id maps, and lets it go on.
    private borrowing func open(_ gate: borrowing Descriptor, for plan: SandboxPlan) throws(SandboxError) {
        let process = process
        for directory in plan.legacyCgroupDirectories {
            try Self.attempt(.operation("move the step into the cgroup \(directory)")) { () throws(Errno) in
                try SmallFile.write("\(process)", to: "\(directory)/cgroup.procs")
            }
        }
        if let maps = plan.idMaps {
            try Self.attempt(.idMap) { () throws(Errno) in
                try SmallFile.write(maps.groups.mapText, to: "/proc/\(process)/gid_map")
                try SmallFile.write(maps.users.mapText, to: "/proc/\(process)/uid_map")
            }
        }
        var byte: UInt8 = 0
        guard Glibc.write(gate.number, &byte, 1) == 1 else { throw SandboxError(.namespace, code: errno) }
    }
}

// MARK: - Following

extension RunningStep {
    static let bufferSize = 1 << 16

    /// What is taken from a pipe at most once the step has ended: more than a pipe can hold.
    ///
    /// Only somebody outside of the step, to whom it handed the pipe, could still be writing.
    static let drainLimit = 1 << 22

    /// Hands on what the step writes until its last process has ended.
    borrowing func follow(
        cancellation: Cancellation,
        output: (OutputStream, UnsafeRawBufferPointer) -> Void
    ) throws(SandboxError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.bufferSize, alignment: 1)
        defer { buffer.deallocate() }
        let streams: [OutputStream] = [.standardOutput, .standardError]
        var polled = [
            ends.standardOutput.number, ends.standardError.number, processDescriptor.number, cancellation.event,
            listener?.descriptor ?? -1,
        ].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        while polled[2].revents == 0 {
            // Without a descriptor the cancellation is looked at from time to time.
            if poll(&polled, nfds_t(polled.count), cancellation.event < 0 ? 100 : -1) < 0, errno != EINTR {
                throw SandboxError(.standardStreams, code: errno)
            }
            if cancellation.isCancelled {
                kill()
                polled[3].fd = -1
            }
            if let listener, polled[4].revents != 0 {
                listener.serve(polled[4].revents)
                polled[4].fd = listener.descriptor
            }
            for (index, stream) in streams.enumerated() where polled[index].revents != 0 {
                switch Self.read(polled[index].fd, into: buffer) {
                case .some(0): polled[index].fd = -1
                case .some(let count): output(stream, UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                case nil: break
                }
            }
        }
        for (index, stream) in streams.enumerated() where polled[index].fd >= 0 {
            var drained = 0
            while drained < Self.drainLimit, let count = Self.read(polled[index].fd, into: buffer), count > 0 {
                output(stream, UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                drained += count
            }
        }
    }

    /// How many bytes came, 0 at the end of the stream (or when it cannot be read), nil when there is nothing now.
    static func read(_ descriptor: CInt, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        if count >= 0 { return count }
        return errno == EAGAIN || errno == EINTR ? nil : 0
    }

    /// What was said of the command's beginning, and the first word on how it ended or what failed.
    private borrowing func reports() -> (beginning: swb_report, end: swb_report?) {
        var beginning = swb_report()
        var report = swb_report()
        let size = MemoryLayout<swb_report>.size
        while Glibc.read(ends.reports.number, &report, size) == size {
            guard report.begins == 1 else { return (beginning, report) }
            beginning = report
        }
        return (beginning, nil)
    }

    /// Waits for PID 1, which has ended or is about to, and tells what came of the step.
    consuming func outcome(of plan: LoweredPlan) throws(SandboxError) -> StepOutcome {
        var status: CInt = 0
        var usage = rusage()
        var waited: pid_t
        repeat {
            waited = wait4(process, &status, CInt(bitPattern: UInt32(__WALL)), &usage)
        } while waited < 0 && errno == EINTR
        isReaped = true

        let (beginning, found) = reports()
        guard let report = found else {
            // PID 1 was killed: the step was cancelled, or memory ran out.
            return StepOutcome(status: waited == process ? ExitStatus(waitStatus: status) : .signaled(SIGKILL))
        }
        guard report.failed == 0 else { throw plan.error(for: report) }
        var outcome = StepOutcome(
            status: ExitStatus(waitStatus: report.status),
            userTime: UInt64(clamping: report.user_microseconds - beginning.user_microseconds),
            systemTime: UInt64(clamping: report.system_microseconds - beginning.system_microseconds),
            peakMemory: UInt64(clamping: report.peak_bytes)
        )
        outcome.compromises = Compromises(rawValue: beginning.compromises)
        let (began, ended) = (UInt64(clamping: beginning.began), UInt64(clamping: report.ended))
        if began > 0, ended >= began { outcome.period = began..<ended }
        return outcome
    }
}
