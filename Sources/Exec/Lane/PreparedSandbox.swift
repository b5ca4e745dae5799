import CShims
import Glibc
import Synchronization
import SystemPackage

/// A sandbox whose process 1 has begun before the step is known: it has its namespaces and the kernel's file systems, and
/// waits for a plan.
///
/// One thread, the lane's, starts the process and stands still until that has executed another program: both share this
/// program's memory, which is how the plan gets to it. Another thread, the step's, hands the plan over.
final class PreparedSandbox: Sendable {
    private let streams: Mutex<StepStreams?>
    /// The way by which the process hears that there is a plan, or that there is going to be none.
    private let wake: Mutex<SharedPipe?>
    private let state = Mutex(State())
    /// Readable when `State.start` is set.
    private let isStarted: SharedDescriptor
    // Read by the process, which the lane's thread waits for; written before it is told so.
    nonisolated(unsafe) private let preparation: LoweredPlan
    nonisolated(unsafe) private let first: swb_plan
    nonisolated(unsafe) private let next: UnsafeMutablePointer<UnsafePointer<swb_plan>?>
    /// The process's pidfd, as soon as there is one: the kernel writes it before the lane's thread stands still.
    nonisolated(unsafe) private let descriptor: UnsafeMutablePointer<CInt>

    private struct State {
        var start: Start?
        var isAbandoned = false
    }

    /// What came of the attempt to start the process.
    private struct Start {
        var failure: CInt
        var process: pid_t
        var descriptor: CInt
    }

    /// A step's process 1, on its way to the step's command.
    struct Started: ~Copyable {
        let process: pid_t
        let descriptor: Descriptor
        let ends: RunningStep.Ends
    }

    /// What is needed to start a process that carries out a preparation.
    init(_ preparation: LoweredPlan) throws(SandboxError) {
        self.preparation = preparation
        let streams = try StepStreams.make()
        let event = swb_event()
        guard event >= 0 else { throw SandboxError(.standardStreams, code: -event) }
        isStarted = SharedDescriptor(event)
        wake = Mutex(try Self.makePipe())
        next = .allocate(capacity: 1)
        next.initialize(to: nil)
        descriptor = .allocate(capacity: 1)
        descriptor.initialize(to: -1)
        var first = preparation.lowered
        streams.connect(&first, supervised: true)
        first.next = next
        self.first = first
        self.streams = Mutex(streams)
    }

    deinit {
        next.deallocate()
        descriptor.deallocate()
    }

    private static func makePipe() throws(SandboxError) -> SharedPipe {
        do {
            let pipe = try SharedPipe()
            // The process waits at its end.
            _ = fcntl(pipe.reader.number, F_SETFL, 0)
            return pipe
        } catch {
            throw SandboxError(.standardStreams, error)
        }
    }

    // MARK: The lane's thread

    /// Starts the process, and returns when it has become the step's or has ended.
    func start() {
        var start = Start(failure: ECANCELED, process: -1, descriptor: -1)
        // The other end is not held on to: the process ends when whoever could hand a plan over closes that.
        if let reader = wake.withLock({ $0?.reader }) {
            var lowered = first
            lowered.wake = reader.number
            start.failure = withExtendedLifetime(reader) {
                swb_spawn(&lowered, &start.process, descriptor)
            }
            start.descriptor = descriptor.pointee
        }
        let isAbandoned = state.withLock { state in
            state.start = start
            return state.isAbandoned
        }
        if isAbandoned { Self.reap(start) }
        var one: UInt64 = 1
        _ = write(isStarted.number, &one, MemoryLayout.size(ofValue: one))
    }

    private static func reap(_ start: Start) {
        guard start.failure == 0 else { return }
        while waitpid(start.process, nil, CInt(bitPattern: UInt32(__WALL))) < 0, errno == EINTR {}
        close(start.descriptor)
    }

    // MARK: The step's thread

    /// Hands a plan over whose preparation is this one's, and waits until the process has taken it.
    ///
    /// - Throws: `SandboxError` when there is no process; what failed in it, its report tells.
    func hand(
        _ plan: LoweredPlan,
        _ supervision: Supervision?,
        _ cancellation: Cancellation
    ) throws(SandboxError) -> Started {
        guard let streams = streams.withLock({ $0.take() }) else { throw SandboxError(.clone, code: ECANCELED) }
        var lowered = plan.lowered
        streams.connect(&lowered, supervised: supervision != nil)
        let listener: CallListener?
        do {
            try streams.give(to: plan.plan)
            listener = try streams.listener(supervision)
        } catch {
            abandon()
            throw error
        }
        next.pointee = plan.placed(lowered)
        wake.withLock { pipe in
            var byte: UInt8 = 0
            if let pipe { _ = write(pipe.writer.number, &byte, 1) }
        }
        let start = withExtendedLifetime(plan) { wait(listener, cancellation) }
        wake.withLock { $0 = nil }
        guard let start, start.failure == 0 else { throw SandboxError(.clone, code: start?.failure ?? ECANCELED) }
        return Started(process: start.process, descriptor: Descriptor(start.descriptor), ends: streams.own(listener))
    }

    /// Waits until the process is the step's; its command may have a question before.
    ///
    /// A cancellation ends it, even where a mount does not come back to it.
    private func wait(_ listener: CallListener?, _ cancellation: Cancellation) -> Start? {
        var polled = [isStarted.number, listener?.descriptor ?? -1, cancellation.event].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        while polled[0].revents == 0 {
            // Cancelled, it is looked for again: the process may not have been there yet.
            let patience: CInt = cancellation.event < 0 || polled[2].fd < 0 ? 100 : -1
            _ = poll(&polled, nfds_t(polled.count), patience)
            if cancellation.isCancelled {
                polled[2].fd = -1
                if descriptor.pointee >= 0 { _ = swb_pidfd_kill(descriptor.pointee, SIGKILL) }
            }
            if let listener, polled[1].revents != 0 {
                listener.serve(polled[1].revents)
                polled[1].fd = listener.descriptor
            }
        }
        return state.withLock { $0.start }
    }

    /// Lets the process end: no step is going to use it.
    func abandon() {
        let start = state.withLock { state in
            state.isAbandoned = true
            return state.start
        }
        wake.withLock { $0 = nil }
        if let start { Self.reap(start) }
    }
}
