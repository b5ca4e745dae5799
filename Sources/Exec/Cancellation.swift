import CShims
import Glibc
import Synchronization

/// Ends every step that runs with it, at once, and keeps further ones from starting.
public final class Cancellation: Sendable {
    private let cancelled = Atomic<Bool>(false)

    /// Becomes readable with the cancellation and stays so, for all that poll it; negative when there was no descriptor left.
    let event: CInt

    /// A cancellation that has not happened.
    public init() {
        event = swb_event()
    }

    deinit {
        if event >= 0 { close(event) }
    }

    /// Whether it has happened.
    public var isCancelled: Bool {
        cancelled.load(ordering: .acquiring)
    }

    /// Kills every process of every step that runs with this; from any thread, any number of times.
    public func cancel() {
        cancelled.store(true, ordering: .releasing)
        var one: UInt64 = 1
        if event >= 0 { _ = write(event, &one, MemoryLayout.size(ofValue: one)) }
    }
}
