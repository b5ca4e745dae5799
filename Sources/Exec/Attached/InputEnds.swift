import CShims
import Glibc
import SystemPackage

/// This program's end of what a step reads: a pipe, a terminal's master, or the socket through which that is to come.
final class InputEnd {
    /// Negative where there is none, or none any more.
    private(set) var number: CInt

    init(_ number: CInt) {
        self.number = number
    }

    deinit { close() }

    /// Takes another descriptor over in place of this one.
    func replace(with number: CInt) {
        close()
        self.number = number
    }

    /// Closes it: the step finds the end of its input.
    func close() {
        if number >= 0 { Glibc.close(number) }
        number = -1
    }
}

/// Both ends of a step's input before the step has its own.
final class InputEnds {
    private let own: InputEnd
    private let steps: InputEnd
    private let isTerminal: Bool

    /// Makes what a kind of input needs; nothing for an empty one.
    init(_ input: SandboxPlan.StandardInput) throws(Errno) {
        var ends: [CInt] = [-1, -1]
        let failure: CInt
        switch input {
        case .empty: failure = 0
        case .pipe: failure = swb_pipe(&ends)
        case .terminal: failure = swb_socket_pair(&ends)
        }
        guard failure == 0 else { throw Errno(rawValue: failure) }
        isTerminal = input == .terminal
        steps = InputEnd(ends[0])
        own = InputEnd(ends[1])
        for end in [own, steps] where end.number >= 0 {
            // Those below are for the streams of the step.
            let lifted = fcntl(end.number, F_DUPFD_CLOEXEC, 3)
            guard lifted >= 0 else { throw Errno(rawValue: errno) }
            end.replace(with: lifted)
        }
        if own.number >= 0 { _ = fcntl(own.number, F_SETFL, O_NONBLOCK) }
    }

    /// What the step reads from.
    var pipe: CInt? { isTerminal || steps.number < 0 ? nil : steps.number }

    /// What the step sends its terminal's master through.
    var socket: CInt? { isTerminal ? steps.number : nil }

    /// This program's end; the step's is closed.
    func takeOwn() -> InputEnd {
        steps.close()
        return own
    }
}
