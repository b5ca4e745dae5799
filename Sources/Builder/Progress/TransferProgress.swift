import Synchronization

/// How far the blobs of one image are, shown ten times a second at most.
final class TransferProgress: Sendable {
    private struct State {
        var done: Int64 = 0
        var lastShown = 0.0
    }

    private let what: String
    private let total: Int64
    private let show: @Sendable (String) -> Void
    private let state = Mutex(State())

    /// The progress of `total` bytes, each time with `what` in front.
    init(_ what: String, total: Int64, show: @escaping @Sendable (String) -> Void) {
        self.what = what
        self.total = total
        self.show = show
    }

    /// Notes that so many more bytes are done; fewer where some have to be sent again.
    func add(_ count: Int64) {
        let now = Clock.now()
        let text = state.withLock { state -> String? in
            state.done += count
            guard now - state.lastShown >= 0.1 else { return nil }
            state.lastShown = now
            return "\(what) \(ByteCount.text(max(0, state.done))) of \(ByteCount.text(total))"
        }
        if let text { show(text) }
    }

    /// The bytes that are done.
    var done: Int64 { state.withLock { $0.done } }
}
