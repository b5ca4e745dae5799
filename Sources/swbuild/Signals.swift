import Exec
import Glibc

/// Interrupts: the first stops the build and lets it clean up, the second ends the program at once.
enum Signals {
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
                cancellation.cancel()
                sigwait(&set, &signal)
                _exit(128 + signal)
            },
            argument.toOpaque()
        )
        pthread_detach(thread)
    }
}
