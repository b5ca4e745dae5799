import BuildFileParser

/// What happens in a build, as it happens.
public enum ProgressEvent: Sendable {
    /// A step begins; steps taken from the cache begin and finish at once.
    case started(step: Int, name: String)
    /// A step that ran before is not in the cache now, for this reason.
    case missed(step: Int, reason: String)
    /// A piece of a step's output, whole lines without their line ends.
    case output(step: Int, line: String)
    /// A step is done; `usage` is that of its command, where one ran.
    case finished(step: Int, cached: Bool, seconds: Double, usage: StepUsage?)
    case failed(step: Int, message: String)
    /// What a check of the build file found.
    case finding(Finding)
    /// What the request asks for in vain; shown however little else is.
    case warning(Diagnostic)
    /// How far something is, within a step or after all steps: changes often, and what it says is soon old.
    case status(step: Int?, text: String)
    /// Something worth a line that belongs to no step.
    case note(String)
    /// What the time of a build that ends well went to, where its trace is on.
    case times(BuildTimes)
}

/// Whoever shows a build's progress.
public protocol ProgressSink: Sendable {
    /// Takes an event; called from several threads.
    func emit(_ event: ProgressEvent)
}

/// Cuts a stream of bytes into lines; the last one of a burst may be without its end.
struct LineSplitter {
    private var partial: [UInt8] = []
    /// A line longer than this is shown in pieces.
    private static let limit = 16 << 10

    mutating func add(_ bytes: UnsafeRawBufferPointer, _ line: (String) -> Void) {
        for byte in bytes {
            if byte == 0x0A {
                flush(line)
            } else {
                partial.append(byte)
                if partial.count >= Self.limit { flush(line) }
            }
        }
    }

    /// Gives what has no line end yet.
    mutating func finish(_ line: (String) -> Void) {
        if !partial.isEmpty { flush(line) }
    }

    private mutating func flush(_ line: (String) -> Void) {
        if partial.last == 0x0D { partial.removeLast() }
        line(String(decoding: partial, as: UTF8.self))
        partial.removeAll(keepingCapacity: true)
    }
}
