import CShims
import Glibc
import SystemPackage

/// Ends a process that is being set up when its step is to end.
///
/// The thread that starts the process stands still until that executes another program, which it may never do: a mount can
/// wait for a server. So another thread looks out meanwhile.
struct SetUpWatch: ~Copyable {
    /// Why a step is to end before its command has begun.
    struct Reason: Sendable {
        /// What becomes readable when there may be one; negative for none.
        var events: [CInt]
        /// Whether there is one.
        var holds: @Sendable () -> Bool

        /// The step's cancellation.
        static func cancelled(_ cancellation: Cancellation) -> Reason {
            Reason(events: [cancellation.event]) { cancellation.isCancelled }
        }
    }

    private let sentry: Sentry
    private let thread: pthread_t

    /// Begins to look out.
    init(_ reason: Reason) throws(SandboxError) {
        let event = swb_event()
        guard event >= 0 else { throw SandboxError(.standardStreams, code: -event) }
        let sentry = Sentry(reason, isOver: SharedDescriptor(event))
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(sentry)
        let code = pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Sentry>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            },
            argument.toOpaque()
        )
        guard code == 0 else {
            argument.release()
            throw SandboxError(.clone, code: code)
        }
        self.sentry = sentry
        self.thread = thread
    }

    /// Where the process's pidfd is to be written, as soon as there is one.
    var descriptor: UnsafeMutablePointer<CInt> { sentry.descriptor }

    /// Looks out no more: the process is what it was started for, or is gone.
    consuming func end() {
        var one: UInt64 = 1
        _ = write(sentry.isOver.number, &one, MemoryLayout.size(ofValue: one))
        pthread_join(thread, nil)
    }
}

/// What the thread that looks out has.
private final class Sentry: Sendable {
    private let reason: SetUpWatch.Reason
    /// Readable when there is nothing to look out for any more.
    let isOver: SharedDescriptor
    // The kernel writes it, before the thread that starts the process stands still.
    nonisolated(unsafe) let descriptor: UnsafeMutablePointer<CInt>

    init(_ reason: SetUpWatch.Reason, isOver: SharedDescriptor) {
        self.reason = reason
        self.isOver = isOver
        descriptor = .allocate(capacity: 1)
        descriptor.initialize(to: -1)
    }

    deinit { descriptor.deallocate() }

    func run() {
        var polled = ([isOver.number] + reason.events).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let hasEvents = reason.events.allSatisfy { $0 >= 0 }
        var patience: CInt = hasEvents ? -1 : Self.pause
        while polled[0].revents == 0 {
            _ = poll(&polled, nfds_t(polled.count), patience)
            // What has become readable may stay so, and the process may not be there yet: both are looked at again.
            for index in polled.indices.dropFirst() where polled[index].revents != 0 {
                polled[index].fd = -1
                patience = Self.pause
            }
            if reason.holds(), descriptor.pointee >= 0 { _ = swb_pidfd_kill(descriptor.pointee, SIGKILL) }
        }
    }

    /// Milliseconds.
    private static let pause: CInt = 50
}
