import Glibc

/// Signals for messages: signal(7).
enum SignalNames {
    /// The name, and what it usually means where that says more.
    static func describe(_ signal: Int32) -> String {
        switch signal {
        case SIGHUP: "SIGHUP"
        case SIGINT: "SIGINT: interrupted"
        case SIGQUIT: "SIGQUIT"
        case SIGILL: "SIGILL: an instruction that this processor does not have"
        case SIGTRAP: "SIGTRAP"
        case SIGABRT: "SIGABRT: the program gave up, as after a failed assertion"
        case SIGBUS: "SIGBUS: access to memory that is not there, as in a file that was cut short"
        case SIGFPE: "SIGFPE: an arithmetic error, such as a division by zero"
        case SIGKILL: "SIGKILL: killed"
        case SIGUSR1: "SIGUSR1"
        case SIGSEGV: "SIGSEGV: access to memory that does not belong to the program"
        case SIGUSR2: "SIGUSR2"
        case SIGPIPE: "SIGPIPE: nobody reads what it writes"
        case SIGALRM: "SIGALRM: a timer ran out"
        case SIGTERM: "SIGTERM: asked to end"
        case SIGXCPU: "SIGXCPU: the limit on processor time was reached"
        case SIGXFSZ: "SIGXFSZ: the limit on file sizes was reached"
        case SIGSYS: "SIGSYS: a system call that is not allowed"
        default: "signal \(signal)"
        }
    }
}
