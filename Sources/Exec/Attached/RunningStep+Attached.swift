import CShims
import Glibc
import SystemPackage

extension SandboxPlan {
    /// Runs the step for a caller who looks on: the caller's input reaches it, and its output the caller.
    ///
    /// What `run(cancellation:output:)` says of threads and of processes that are left behind holds here too.
    ///
    /// - Throws: `SandboxError` when the command could not be started.
    public func run(
        attachedTo caller: Attachment,
        cancellation: Cancellation,
        supervision: Supervision? = nil
    ) throws(SandboxError) -> StepOutcome {
        let plan = try LoweredPlan(self, supervised: supervision?.filter)
        if cancellation.isCancelled { return StepOutcome(status: .signaled(SIGKILL)) }
        let signals = caller.signals
        let reason = SetUpWatch.Reason(events: [cancellation.event, signals.event]) {
            cancellation.isCancelled || signals.ending != nil
        }
        let step = try RunningStep.start(plan, supervision, until: reason)
        let ending = signals.ending
        try step.follow(caller, hasTerminal: standardInput == .terminal, cancellation: cancellation)
        var outcome = try step.outcome(of: plan)
        // What ended it before its command began is the signal, whatever it was done with.
        if let ending, outcome.status == .signaled(SIGKILL) { outcome.status = .signaled(ending) }
        return outcome
    }

    /// Runs the step as `run(attachedTo:cancellation:supervision:)` does, in cgroups that are made for it and removed
    /// afterwards; without a parent for them it stays in the caller's.
    ///
    /// - Throws: `SandboxError` when the command could not be started, `CgroupError` when it could not be limited.
    public func run(
        below parent: CgroupParent?,
        attachedTo caller: Attachment,
        cancellation: Cancellation,
        supervision: Supervision? = nil
    ) throws -> StepOutcome {
        guard let parent else {
            return try run(attachedTo: caller, cancellation: cancellation, supervision: supervision)
        }
        return try inCgroup(below: parent) { plan in
            try plan.run(attachedTo: caller, cancellation: cancellation, supervision: supervision)
        }
    }
}

/// A step and its caller, while they hear of each other.
private struct Conversation {
    let caller: Attachment
    let cancellation: Cancellation
    /// The master of the step's terminal, when it has come through the socket.
    var terminal: CInt?
    /// Whether the step was told to end while the caller did not read: what is not read by its end is dropped then.
    var isEnding = false
}

extension RunningStep {
    /// The places of what is polled.
    private enum Place {
        static let output = 0
        static let error = 1
        static let process = 2
        static let cancellation = 3
        static let signals = 4
        static let source = 5
        static let sink = 6
        static let listener = 7
    }

    /// Copies between the caller and the step until the step's last process has ended.
    borrowing func follow(
        _ caller: Attachment,
        hasTerminal: Bool,
        cancellation: Cancellation
    ) throws(SandboxError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.bufferSize, alignment: 1)
        defer { buffer.deallocate() }
        var copy = InputCopy(from: caller.input, to: input, closesSink: !hasTerminal)
        var talk = Conversation(caller: caller, cancellation: cancellation)
        var polled = [
            hasTerminal ? input.number : ends.standardOutput.number, hasTerminal ? -1 : ends.standardError.number,
            processDescriptor.number, cancellation.event, caller.signals.event, -1, -1,
            listener?.descriptor ?? -1,
        ].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        while polled[Place.process].revents == 0 {
            if !hasTerminal || talk.terminal != nil {
                polled[Place.source] = copy.sourcePoll
                polled[Place.sink] = copy.sinkPoll
            }
            if talk.terminal != nil {
                polled[Place.output].events = Int16(copy.isWaiting ? POLLIN | POLLOUT : POLLIN)
            }
            if poll(&polled, nfds_t(polled.count), -1) < 0, errno != EINTR {
                throw SandboxError(.standardStreams, code: errno)
            }
            if cancellation.isCancelled {
                kill()
                polled[Place.cancellation].fd = -1
            }
            if let listener, polled[Place.listener].revents != 0 {
                listener.serve(polled[Place.listener].revents)
                polled[Place.listener].fd = listener.descriptor
            }
            if polled[Place.signals].revents != 0 { pass(caller.signals.take(), talk) }
            if hasTerminal, talk.terminal == nil {
                talk.terminal = takeTerminal(&polled[Place.output], caller)
            } else {
                relay(&polled, &talk, buffer)
            }
            feed(&copy, polled, isTerminal: talk.terminal != nil, buffer)
        }
        drain(hasTerminal ? talk.terminal.map { [$0] } ?? [] : [polled[0].fd, polled[1].fd], &talk, buffer)
    }

    private func feed(
        _ copy: inout InputCopy,
        _ polled: [pollfd],
        isTerminal: Bool,
        _ buffer: UnsafeMutableRawBufferPointer
    ) {
        let broken = Int16(POLLERR | POLLHUP)
        if polled[Place.sink].fd >= 0, polled[Place.sink].revents & broken != 0 { return copy.stop() }
        if polled[isTerminal ? Place.output : Place.sink].revents & Int16(POLLOUT) != 0 { copy.write() }
        if polled[Place.source].fd >= 0, polled[Place.source].revents != 0 { copy.read(buffer) }
    }

    /// Takes the master of the step's terminal, which begins with the size of the caller's.
    private borrowing func takeTerminal(_ polled: inout pollfd, _ caller: Attachment) -> CInt? {
        guard polled.revents != 0 else { return nil }
        let master = swb_receive_descriptor(input.number)
        guard master >= 0 else {
            // The step failed before it had one: its report says why.
            polled.fd = -1
            return nil
        }
        input.replace(with: master)
        _ = fcntl(master, F_SETFL, O_NONBLOCK)
        _ = swb_copy_window_size(caller.input, master)
        polled.fd = master
        return master
    }

    private borrowing func pass(_ signals: [Int32], _ talk: Conversation) {
        for signal in signals {
            if signal == SIGWINCH {
                if let terminal = talk.terminal { _ = swb_copy_window_size(talk.caller.input, terminal) }
            } else {
                _ = swb_pidfd_kill(processDescriptor.number, signal)
            }
        }
    }

    /// Hands on what came on the two streams.
    private borrowing func relay(
        _ polled: inout [pollfd],
        _ talk: inout Conversation,
        _ buffer: UnsafeMutableRawBufferPointer
    ) {
        for (place, target) in [(Place.output, talk.caller.output), (Place.error, talk.caller.error)]
        where polled[place].fd >= 0 && polled[place].revents & ~Int16(POLLOUT) != 0 {
            switch Self.read(polled[place].fd, into: buffer) {
            case .some(0): polled[place].fd = -1
            case .some(let count): write(UnsafeRawBufferPointer(rebasing: buffer[..<count]), to: target, &talk)
            case nil: break
            }
        }
    }

    private borrowing func drain(
        _ descriptors: [CInt],
        _ talk: inout Conversation,
        _ buffer: UnsafeMutableRawBufferPointer
    ) {
        for (descriptor, target) in zip(descriptors, [talk.caller.output, talk.caller.error]) where descriptor >= 0 {
            var drained = 0
            while drained < Self.drainLimit, let count = Self.read(descriptor, into: buffer), count > 0 {
                write(UnsafeRawBufferPointer(rebasing: buffer[..<count]), to: target, &talk)
                drained += count
            }
        }
    }

    /// Writes all of it; a caller who reads no more is no reason to fail.
    ///
    /// In pieces that a pipe which has room at all takes without blocking (PIPE_BUF, pipe(7)): the caller's descriptors
    /// are not this program's alone, and cannot be made not to block.
    private borrowing func write(_ bytes: UnsafeRawBufferPointer, to target: CInt, _ talk: inout Conversation) {
        var rest = bytes[...]
        while !rest.isEmpty, canWrite(to: target, &talk) {
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.pieceSize))
            let count = Glibc.write(target, piece.baseAddress, piece.count)
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    private static var pieceSize: Int { 4096 }

    /// Waits until the caller takes more, and passes on the signals that come meanwhile; false when a step that was
    /// told to end has ended.
    private borrowing func canWrite(to target: CInt, _ talk: inout Conversation) -> Bool {
        while true {
            let input = Int16(POLLIN)
            var polled = [
                pollfd(fd: target, events: Int16(POLLOUT), revents: 0),
                pollfd(fd: talk.caller.signals.event, events: input, revents: 0),
                pollfd(fd: talk.isEnding ? -1 : talk.cancellation.event, events: input, revents: 0),
                pollfd(fd: talk.isEnding ? processDescriptor.number : -1, events: input, revents: 0),
            ]
            if poll(&polled, nfds_t(polled.count), -1) < 0 {
                if errno == EINTR { continue }
                return true
            }
            if polled[0].revents != 0 { return true }
            if polled[1].revents != 0 {
                let signals = talk.caller.signals.take()
                pass(signals, talk)
                if signals.contains(where: { $0 != SIGWINCH }) { talk.isEnding = true }
            }
            if talk.cancellation.isCancelled, !talk.isEnding {
                kill()
                talk.isEnding = true
            }
            if polled[3].revents != 0 { return false }
        }
    }
}
