import CShims
import Glibc
import Synchronization

/// The streams of a caller who looks at a step while it runs.
public struct Attachment: Sendable {
    /// What the caller types or sends, copied to the step's input.
    public var input: CInt

    /// Where the step's standard output goes, or all that it writes to its terminal.
    public var output: CInt

    /// Where the step's standard error goes.
    public var error: CInt

    /// Signals for the command.
    public var signals: SignalRelay

    /// Descriptors of the caller, who keeps them open.
    public init(input: CInt = 0, output: CInt = 1, error: CInt = 2, signals: SignalRelay) {
        self.input = input
        self.output = output
        self.error = error
        self.signals = signals
    }
}

/// Hands signals from any thread to the step that runs with it.
///
/// SIGWINCH gives the step's terminal the size of the caller's.
public final class SignalRelay: Sendable {
    /// Bit N stands for signal N + 1.
    private let waiting = Atomic<UInt64>(0)

    /// Becomes readable when there are signals; negative when there was no descriptor left.
    let event: CInt

    /// A relay without signals.
    public init() {
        event = swb_event()
    }

    deinit {
        if event >= 0 { close(event) }
    }

    /// Sends a signal; two of the same that come close together are one, as the kernel has it.
    public func send(_ signal: Int32) {
        guard (1...64).contains(signal) else { return }
        waiting.bitwiseOr(1 << UInt64(signal - 1), ordering: .acquiringAndReleasing)
        var one: UInt64 = 1
        if event >= 0 { _ = write(event, &one, MemoryLayout.size(ofValue: one)) }
    }

    /// One of those that wait by which a user ends a program.
    var ending: Int32? {
        let bits = waiting.load(ordering: .acquiring)
        return [SIGINT, SIGTERM, SIGHUP, SIGQUIT].first { bits >> UInt64($0 - 1) & 1 != 0 }
    }

    /// The signals since the last call.
    func take() -> [Int32] {
        var count: UInt64 = 0
        if event >= 0 { _ = read(event, &count, MemoryLayout.size(ofValue: count)) }
        let bits = waiting.exchange(0, ordering: .acquiringAndReleasing)
        return (Int32(1)...64).filter { bits >> UInt64($0 - 1) & 1 != 0 }
    }
}
