import Synchronization

/// Where a build's time goes: spans that its parts report while it runs, from any thread.
///
/// One that is off costs a comparison for each span: it asks no clock, takes no lock and allocates nothing.
public struct Trace: Sendable {
    private let recorder: TraceRecorder?
    /// When it began.
    let origin: Moment

    /// A trace that keeps nothing.
    public static let off = Trace(recorder: nil, origin: Moment(nanoseconds: 0))

    /// A trace that begins now.
    public static func recording() -> Trace { Trace(recorder: TraceRecorder(), origin: Moment.now()) }

    private init(recorder: TraceRecorder?, origin: Moment) {
        self.recorder = recorder
        self.origin = origin
    }

    /// Whether spans are kept.
    public var isOn: Bool { recorder != nil }

    /// All spans that have ended, in the order of their ends, and the names of the steps.
    func contents() -> (spans: [Span], steps: [String]) { recorder?.contents() ?? ([], []) }

    /// Names the steps, in the order of the graph.
    func nameSteps(_ names: @autoclosure () -> [String]) {
        if let recorder { recorder.name(names()) }
    }

    /// Does `body` and notes how long it took, also where it fails.
    func span<Value, Failure: Error>(
        _ work: Span.Work,
        step: Int? = nil,
        detail: @autoclosure () -> String? = nil,
        _ body: () throws(Failure) -> Value
    ) throws(Failure) -> Value {
        guard let recorder else { return try body() }
        var span = Span(work: work, step: step, began: Moment.now(), ended: origin, detail: detail())
        do throws(Failure) {
            let value = try body()
            span.ended = Moment.now()
            recorder.add(span)
            return value
        } catch {
            span.ended = Moment.now()
            span.outcome = .failed
            recorder.add(span)
            throw error
        }
    }

    /// Notes how long `load` took to bring the build file and the context.
    /// - Throws: what `load` throws.
    public func loadingInputs<Value>(_ load: () throws -> Value) throws -> Value { try span(.inputs, load) }

    /// Now, for a span that ends somewhere else.
    func start() -> Moment { recorder == nil ? origin : Moment.now() }

    /// Ends a span that began at `began`: now, unless `end` says when.
    func end(
        _ work: Span.Work,
        step: Int? = nil,
        since began: Moment,
        at end: Moment? = nil,
        usage: StepUsage? = nil
    ) {
        guard let recorder else { return }
        recorder.add(Span(work: work, step: step, began: began, ended: end ?? Moment.now(), usage: usage))
    }

    /// Ends the span of a whole step.
    func endStep(_ step: Int, since began: Moment, _ outcome: Span.Outcome) {
        guard let recorder else { return }
        var span = Span(work: .step, step: step, began: began, ended: Moment.now())
        span.outcome = outcome
        recorder.add(span)
    }
}

/// What a trace has kept so far.
private final class TraceRecorder: Sendable {
    private struct State {
        var spans: [Span] = []
        var steps: [String] = []
    }

    private let state = Mutex(State())

    func add(_ span: Span) { state.withLock { $0.spans.append(span) } }

    func name(_ steps: [String]) { state.withLock { $0.steps = steps } }

    func contents() -> (spans: [Span], steps: [String]) { state.withLock { ($0.spans, $0.steps) } }
}
