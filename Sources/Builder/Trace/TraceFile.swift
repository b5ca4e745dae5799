import OCI

/// Writes a trace in the form that Perfetto and Chrome's trace viewer read.
///
/// Source: "Trace Event Format", JSON array format: complete events (`X`) and metadata events (`M`), times in
/// microseconds.
struct TraceFile {
    private static let process: Int64 = 1
    private static let bufferSize = 64 << 10

    let lanes: [TraceLanes.Lane]
    let steps: [String]
    let origin: Moment

    /// Hands on the document in pieces.
    func write(_ output: (ArraySlice<UInt8>) throws -> Void) throws {
        var buffer = Array("[\n".utf8)
        var separator: [UInt8] = []
        func add(_ event: [String: JSONValue]) throws {
            buffer += separator
            buffer += try JSONValue.object(event).encoded()
            separator = Array(",\n".utf8)
            guard buffer.count >= Self.bufferSize else { return }
            try output(buffer[...])
            buffer.removeAll(keepingCapacity: true)
        }
        try add(metadata("process_name", ["name": .string("swbuild")], lane: 0))
        for (index, lane) in lanes.enumerated() {
            try add(metadata("thread_name", ["name": .string(lane.name)], lane: index))
            try add(metadata("thread_sort_index", ["sort_index": .integer(Int64(index))], lane: index))
            for span in lane.spans { try add(event(span, lane: index)) }
        }
        buffer += Array("\n]\n".utf8)
        try output(buffer[...])
    }

    private func metadata(_ name: String, _ arguments: [String: JSONValue], lane: Int) -> [String: JSONValue] {
        [
            "ph": .string("M"), "name": .string(name), "pid": .integer(Self.process), "tid": .integer(Int64(lane)),
            "args": .object(arguments),
        ]
    }

    private func event(_ span: Span, lane: Int) -> [String: JSONValue] {
        var arguments: [String: JSONValue] = [:]
        if let step = span.step {
            arguments["step"] = .integer(Int64(step + 1))
            if steps.indices.contains(step) { arguments["name"] = .string(steps[step]) }
        }
        if let detail = span.detail { arguments["detail"] = .string(detail) }
        arguments.merge(span.usage?.json ?? [:]) { first, _ in first }
        switch span.outcome {
        case .done: break
        case .cached: arguments["cached"] = .bool(true)
        case .failed: arguments["failed"] = .bool(true)
        }
        return [
            "ph": .string("X"), "name": .string(span.work.rawValue), "pid": .integer(Self.process),
            "tid": .integer(Int64(lane)), "ts": Self.microseconds(span.began.nanoseconds(since: origin)),
            "dur": Self.microseconds(span.nanoseconds), "args": .object(arguments),
        ]
    }

    private static func microseconds(_ nanoseconds: UInt64) -> JSONValue { .number(Double(nanoseconds) / 1000) }
}

extension Trace {
    /// Writes all spans that have ended to the file `path`, which is there whole or not at all, with one for the build.
    ///
    /// Perfetto and Chrome's trace viewer show such files.
    /// - Throws: ``HostFileError`` where the file cannot be written.
    public func write(to path: String) throws {
        guard isOn else { return }
        var (spans, steps) = contents()
        spans.append(Span(work: .build, step: nil, began: origin, ended: Moment.now()))
        let file = TraceFile(lanes: TraceLanes(spans, steps: steps).lanes, steps: steps, origin: origin)
        try HostFile.writeResult(to: path) { descriptor in
            try file.write { try HostFile.write($0, descriptor: descriptor, named: path) }
        }
    }
}
