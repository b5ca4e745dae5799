import Glibc

/// Copies a caller's input to a step, as fast as the step takes it and no faster.
struct InputCopy {
    private let source: CInt
    private let sink: InputEnd
    private var waiting: ArraySlice<UInt8> = []
    private var hasEnded = false
    /// A terminal stays open when the caller's input has ended: it is the output too.
    private let closesSink: Bool

    init(from source: CInt, to sink: InputEnd, closesSink: Bool) {
        self.source = source
        self.sink = sink
        self.closesSink = closesSink
    }

    /// What to poll the source for: nothing while the step has not taken the last piece.
    var sourcePoll: pollfd {
        let waits = waiting.isEmpty && !hasEnded && sink.number >= 0
        return pollfd(fd: waits ? source : -1, events: Int16(POLLIN), revents: 0)
    }

    /// What to poll the sink for: to be told when it takes more, or that nobody reads it.
    var sinkPoll: pollfd {
        pollfd(fd: closesSink ? sink.number : -1, events: waiting.isEmpty ? 0 : Int16(POLLOUT), revents: 0)
    }

    /// Whether there is something that the sink should take.
    var isWaiting: Bool { !waiting.isEmpty }

    /// Reads when the source has something.
    mutating func read(_ buffer: UnsafeMutableRawBufferPointer) {
        let count = Glibc.read(source, buffer.baseAddress, buffer.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return }
        guard count > 0 else {
            hasEnded = true
            if closesSink { sink.close() }
            return
        }
        waiting = Array(buffer[..<count])[...]
        write()
    }

    /// Writes what the sink takes.
    mutating func write() {
        guard !waiting.isEmpty else { return }
        let count = waiting.withUnsafeBytes { Glibc.write(sink.number, $0.baseAddress, $0.count) }
        if count >= 0 {
            waiting = waiting.dropFirst(count)
        } else if errno != EINTR, errno != EAGAIN {
            stop()
        }
    }

    /// Nobody reads any more.
    mutating func stop() {
        waiting = []
        hasEnded = true
        if closesSink { sink.close() }
    }
}
