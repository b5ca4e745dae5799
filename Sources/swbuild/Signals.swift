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

    private static let caught = [SIGINT, SIGTERM, SIGHUP, SIGWINCH]

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

    /// What an interrupt cancels; without it, an interrupt ends the program at once.
    private static let build = Mutex<Cancellation?>(nil)

    /// From now on the first interrupt cancels a build; with `nil`, it ends the program at once.
    static func cancelOnInterrupt(_ cancellation: Cancellation?) {
        build.withLock { $0 = cancellation }
    }

    /// What signals are passed on to; without it, they end the program.
    private static let relay = Mutex<SignalRelay?>(nil)

    /// From now on signals are passed on, and none ends the program.
    static func passOn(to relay: SignalRelay) {
        self.relay.withLock { $0 = relay }
    }

    /// Waits for the signals on a thread of its own.
    static func watch() {
        var thread = pthread_t()
        pthread_create(
            &thread,
            nil,
            { _ in
                Signals.waitAndEnd()
                return nil
            },
            nil
        )
        pthread_detach(thread)
    }

    private static func waitAndEnd() {
        var set = set()
        var signal: Int32 = 0
        while true {
            sigwait(&set, &signal)
            if let relay = relay.withLock({ $0 }) {
                relay.send(signal)
            } else if signal != SIGWINCH {
                break
            }
        }
        received.store(signal, ordering: .relaxed)
        if let cancellation = build.withLock({ $0 }) {
            cancellation.cancel()
            // What cannot be stopped in the middle gets this long; a second interrupt ends it before.
            var patience = timespec(tv_sec: 5, tv_nsec: 0)
            sigdelset(&set, SIGWINCH)
            // The end of a step's process interrupts the wait as well.
            while sigtimedwait(&set, nil, &patience) < 0, errno == EINTR {}
        }
        _exit(128 + signal)
    }
}
