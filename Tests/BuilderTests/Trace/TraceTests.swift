import OCI
import Testing

@testable import Builder

private func span(
    _ work: Span.Work,
    _ milliseconds: ClosedRange<UInt64>,
    step: Int? = nil,
    _ outcome: Span.Outcome = .done
) -> Span {
    Span(
        work: work,
        step: step,
        began: Moment(nanoseconds: milliseconds.lowerBound * 1_000_000),
        ended: Moment(nanoseconds: milliseconds.upperBound * 1_000_000),
        outcome: outcome
    )
}

private func document(_ spans: [Span], steps: [String] = []) throws -> [JSONValue] {
    let file = TraceFile(
        lanes: TraceLanes(spans, steps: steps).lanes,
        steps: steps,
        origin: Moment(nanoseconds: 1_000_000)
    )
    var bytes: [UInt8] = []
    try file.write { bytes += $0 }
    return try #require(try JSONValue(parsing: bytes, as: "trace").array)
}

extension JSONValue {
    fileprivate var array: [JSONValue]? {
        guard case .array(let values) = self else { return nil }
        return values
    }

    fileprivate var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }
}

@Suite struct TraceTests {
    @Test func spansLieWithinTheOnesAroundThem() throws {
        let trace = Trace.recording()
        let value = trace.span(.planning) { trace.span(.opening, detail: "of main") { 7 } }
        #expect(value == 7)
        let spans = trace.contents().spans
        try #require(spans.map(\.work) == [.opening, .planning])
        #expect(spans[0].detail == "of main")
        #expect(trace.origin <= spans[1].began)
        #expect(spans[1].began <= spans[0].began)
        #expect(spans[0].began <= spans[0].ended)
        #expect(spans[0].ended <= spans[1].ended)
    }

    @Test func whatFailsIsNotedToo() {
        struct Failure: Error {}
        let trace = Trace.recording()
        #expect(throws: Failure.self) { try trace.span(.download, step: 3) { throw Failure() } }
        #expect(trace.contents().spans.map(\.outcome) == [.failed])
        #expect(trace.contents().spans.map(\.step) == [3])
    }

    @Test func oneThatIsOffKeepsNothingAndAsksForNothing() {
        let trace = Trace.off
        var asked = 0
        func ask<Value>(_ value: Value) -> Value {
            asked += 1
            return value
        }
        #expect(trace.span(.command, detail: ask("detail")) { 1 } == 1)
        trace.nameSteps(ask(["RUN true"]))
        trace.end(.step, step: 1, since: trace.start())
        trace.endStep(1, since: trace.start(), .cached)
        #expect(asked == 0)
        #expect(!trace.isOn)
        #expect(trace.start() == trace.origin)
        #expect(trace.contents().spans.isEmpty)
    }

    @Test func spansComeFromAnyThread() async {
        let trace = Trace.recording()
        await withTaskGroup(of: Void.self) { group in
            for step in 0..<50 { group.addTask { trace.span(.command, step: step) {} } }
        }
        #expect(trace.contents().spans.compactMap(\.step).sorted() == Array(0..<50))
    }
}

@Suite struct TraceLanesTests {
    @Test func eachStepHasALaneAndTheOuterSpanComesFirst() {
        let lanes = TraceLanes(
            [
                span(.command, 3...5, step: 1), span(.step, 2...9, step: 1), span(.step, 1...2, step: 0),
                span(.planning, 0...1),
            ],
            steps: ["FROM base", "RUN true"]
        ).lanes
        #expect(lanes.map(\.name) == ["build", "#1 FROM base", "#2 RUN true"])
        #expect(lanes.last?.spans.map(\.work) == [.step, .command])
    }

    @Test func whatOverlapsGetsRowsOfItsOwn() {
        let lanes = TraceLanes(
            [
                span(.compressing, 1...5, step: 1), span(.compressing, 2...3, step: 2),
                span(.compressing, 3...8, step: 3), span(.compressing, 5...6, step: 4), span(.blob, 1...9),
            ],
            steps: []
        ).lanes
        #expect(lanes.map(\.name) == ["build", "compression", "compression", "export"])
        #expect(lanes.map { $0.spans.compactMap(\.step) } == [[], [1, 4], [2, 3], []])
    }
}

@Suite struct TraceFileTests {
    @Test func timesAreMicrosecondsSinceTheBeginning() throws {
        let events = try document([span(.planning, 2...5), span(.step, 5...6, step: 0, .cached)], steps: ["RUN true"])
        let complete = events.filter { $0["ph"]?.string == "X" }
        #expect(complete.map { $0["name"]?.string } == ["planning", "step"])
        #expect(complete.map { $0["ts"]?.double } == [1000, 4000])
        #expect(complete.map { $0["dur"]?.double } == [3000, 1000])
        #expect(complete.map { $0["tid"]?.integer } == [0, 1])
        #expect(complete.last?["args"]?["cached"] == .bool(true))
        let lanes = events.filter { $0["name"]?.string == "thread_name" }
        #expect(lanes.map { $0["args"]?["name"]?.string } == ["build", "#1 RUN true"])
    }

    @Test(arguments: ["a \"quoted\" \\ name", "lines\nand\ttabs", "\u{1}\u{1F}\u{7F}", "ü 漢 🐟", "</script>"])
    func namesOfAnyKindComeThrough(_ name: String) throws {
        let events = try document([span(.step, 1...2, step: 0)], steps: [name])
        #expect(events.contains { $0["args"]?["name"]?.string == "#1 \(name)" })
        #expect(events.last?["args"]?["name"]?.string == name)
    }

    @Test func manySpansAreWrittenInPieces() throws {
        let spans = (0..<3000).map { span(.command, UInt64($0)...UInt64($0) + 1, step: 0) }
        let file = TraceFile(lanes: TraceLanes(spans, steps: []).lanes, steps: [], origin: Moment(nanoseconds: 0))
        var bytes: [UInt8] = []
        var pieces = 0
        try file.write {
            bytes += $0
            pieces += 1
        }
        #expect(pieces > 1)
        let events = try JSONValue(parsing: bytes, as: "trace").array
        #expect(events?.filter { $0["ph"]?.string == "X" }.count == 3000)
    }
}

@Suite struct BuildTimesTests {
    private func times(_ spans: [Span]) -> BuildTimes {
        BuildTimes(
            spans,
            steps: ["FROM base", "RUN make", "COPY . /"],
            origin: Moment(nanoseconds: 0),
            now: Moment(nanoseconds: 100_000_000)
        )
    }

    private func milliseconds(_ seconds: Double) -> Int { Int((seconds * 1000).rounded()) }

    @Test func theTimesOfAStepAddUpToIt() throws {
        let times = times([
            span(.lookUp, 0...1, step: 1), span(.lock, 1...4, step: 1), span(.layersBelow, 4...5, step: 1),
            span(.unpacking, 5...7, step: 1), span(.command, 8...20, step: 1), span(.diff, 20...22, step: 1),
            span(.writing, 22...25, step: 1), span(.step, 0...26, step: 1),
        ])
        let step = try #require(times.steps.first)
        #expect(step.name == "RUN make")
        #expect(milliseconds(step.command) == 12)
        #expect(milliseconds(step.waiting) == 4)
        #expect(milliseconds(step.layer) == 5)
        #expect(milliseconds(step.command + step.setUp + step.layer + step.waiting) == 26)
    }

    @Test func compressionIsWaitedForAfterTheLastStepAlone() throws {
        let times = times([
            span(.step, 0...10, step: 1), span(.compressing, 10...24, step: 1), span(.recording, 24...25, step: 1),
            span(.steps, 0...20), span(.lastLayers, 20...25),
        ])
        let step = try #require(times.steps.first)
        #expect(milliseconds(step.compression) == 15)
        #expect(milliseconds(step.compressionWait) == 5)
        #expect(milliseconds(times.compressionWait) == 5)
        #expect(milliseconds(times.running) == 20)
    }

    @Test func stepsOfTheCacheAndFailedOnesAreNotListed() {
        let times = times([
            span(.step, 0...1, step: 0, .cached), span(.step, 1...2, step: 1, .failed), span(.step, 2...5, step: 2),
        ])
        #expect(times.steps.map(\.index) == [2])
    }

    @Test func theBuildsOwnTimesAreSums() {
        let times = times([
            span(.inputs, 0...1), span(.planning, 1...3), span(.opening, 3...4), span(.image, 50...52),
            span(.disk, 52...59), span(.publishing, 59...60), span(.output, 60...70), span(.output, 70...75),
        ])
        #expect(milliseconds(times.planning) == 4)
        #expect(milliseconds(times.image) == 3)
        #expect(milliseconds(times.disk) == 7)
        #expect(milliseconds(times.outputs) == 15)
        #expect(milliseconds(times.total) == 100)
        #expect(times.steps.isEmpty)
    }
}
