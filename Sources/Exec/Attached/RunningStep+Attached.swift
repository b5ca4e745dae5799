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
        let step = try RunningStep.start(plan, supervision)
        try step.follow(caller, hasTerminal: standardInput == .terminal, cancellation: cancellation)
        return try step.outcome(of: plan)
    }
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
        // The terminal is there when its master has come through the socket.
        var terminal: CInt?
        var polled = [
            hasTerminal ? input.number : ends.standardOutput.number, hasTerminal ? -1 : ends.standardError.number,
            processDescriptor.number, cancellation.event, caller.signals.event, -1, -1,
            listener?.descriptor ?? -1,
        ].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        while polled[Place.process].revents == 0 {
            if !hasTerminal || terminal != nil {
                polled[Place.source] = copy.sourcePoll
                polled[Place.sink] = copy.sinkPoll
            }
            if terminal != nil {
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
            if polled[Place.signals].revents != 0 { pass(caller.signals.take(), terminal, caller) }
            if hasTerminal, terminal == nil {
                terminal = takeTerminal(&polled[Place.output], caller)
            } else {
                relay(&polled, caller, buffer)
            }
            feed(&copy, polled, isTerminal: terminal != nil, buffer)
        }
        drain(hasTerminal ? terminal.map { [$0] } ?? [] : [polled[0].fd, polled[1].fd], caller, buffer)
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

    private borrowing func pass(_ signals: [Int32], _ terminal: CInt?, _ caller: Attachment) {
        for signal in signals {
            if signal == SIGWINCH {
                if let terminal { _ = swb_copy_window_size(caller.input, terminal) }
            } else {
                _ = swb_pidfd_kill(processDescriptor.number, signal)
            }
        }
    }

    /// Hands on what came on the two streams.
    private func relay(_ polled: inout [pollfd], _ caller: Attachment, _ buffer: UnsafeMutableRawBufferPointer) {
        for (place, target) in [(Place.output, caller.output), (Place.error, caller.error)]
        where polled[place].fd >= 0 && polled[place].revents & ~Int16(POLLOUT) != 0 {
            switch Self.read(polled[place].fd, into: buffer) {
            case .some(0): polled[place].fd = -1
            case .some(let count): Self.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]), to: target)
            case nil: break
            }
        }
    }

    private func drain(_ descriptors: [CInt], _ caller: Attachment, _ buffer: UnsafeMutableRawBufferPointer) {
        for (descriptor, target) in zip(descriptors, [caller.output, caller.error]) where descriptor >= 0 {
            var drained = 0
            while drained < Self.drainLimit, let count = Self.read(descriptor, into: buffer), count > 0 {
                Self.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]), to: target)
                drained += count
            }
        }
    }

    /// Writes all of it; a caller who reads no more is no reason to fail.
    private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: CInt) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count < 0, errno == EAGAIN {
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&ready, 1, -1)
                continue
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
