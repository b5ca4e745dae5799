import Exec
import Glibc
import Synchronization

/// Interrupts: the first stops the build and lets it clean up, the second ends the program at once.
enum Signals {
    /// The signal that came, 0 for none.
    private static let received = Atomic<Int32>(0)

    /// The exit status of a build that was interrupted, as shells have it.
    static var exitStatus: Int32 {
        let signal = received.load(ordering: .relaxed)
        return 128 + (signal == 0 ? SIGINT : signal)
    }

    private static let caught = [SIGINT, SIGTERM, SIGHUP]

    private static func set() -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in caught { sigaddset(&set, signal) }
        return set
    }

    /// Blocks the signals in this thread and those that it starts.
    ///
    /// A closed pipe is an error of write(2) from now on.
    static func block() {
        var set = set()
        pthread_sigmask(SIG_BLOCK, &set, nil)
        signal(SIGPIPE, SIG_IGN)
    }

    /// Waits for the signals on a thread of its own, and cancels.
    static func cancelOnInterrupt(_ cancellation: Cancellation) {
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(cancellation)
        pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                let cancellation = Unmanaged<Cancellation>.fromOpaque(argument).takeRetainedValue()
                var set = Signals.set()
                var signal: Int32 = 0
                sigwait(&set, &signal)
                Signals.received.store(signal, ordering: .relaxed)
                cancellation.cancel()
                sigwait(&set, &signal)
                _exit(128 + signal)
            },
            argument.toOpaque()
        )
        pthread_detach(thread)
    }
}
