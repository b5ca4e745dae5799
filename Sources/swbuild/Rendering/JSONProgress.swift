import BuildFileParser
import Builder
import OCI

/// One JSON object on each line.
final class JSONProgress: ProgressSink {
    func emit(_ event: ProgressEvent) {
        let members: [String: JSONValue] =
            switch event {
            case .started(let step, let name):
                ["event": .string("started"), "step": .integer(Int64(step + 1)), "name": .string(name)]
            case .missed(let step, let reason):
                ["event": .string("missed"), "step": .integer(Int64(step + 1)), "reason": .string(reason)]
            case .output(let step, let line):
                ["event": .string("output"), "step": .integer(Int64(step + 1)), "line": .string(line)]
            case .finished(let step, let cached, let seconds, let usage):
                Self.finished(step, cached: cached, seconds: seconds, usage)
            case .failed(let step, let message):
                ["event": .string("failed"), "step": .integer(Int64(step + 1)), "message": .string(message)]
            case .finding(let finding):
                finding.json.merging(["event": .string("warning")]) { first, _ in first }
            case .warning(let warning):
                [
                    "event": .string("warning"), "message": .string(warning.message),
                    "notes": .strings(warning.notes),
                ]
            case .times(let times): times.json.merging(["event": .string("times")]) { first, _ in first }
            case .status(let step, let text):
                [
                    "event": .string("status"), "step": step.map { JSONValue.integer(Int64($0 + 1)) } ?? .null,
                    "text": .string(text),
                ]
            case .note(let text): ["event": .string("note"), "text": .string(text)]
            }
        guard let line = try? JSONValue.object(members).encoded() else { return }
        Console.note(String(decoding: line, as: UTF8.self))
    }

    private static func finished(
        _ step: Int,
        cached: Bool,
        seconds: Double,
        _ usage: StepUsage?
    ) -> [String: JSONValue] {
        let members: [String: JSONValue] = [
            "event": .string("finished"), "step": .integer(Int64(step + 1)), "cached": .bool(cached),
            "seconds": .number(seconds),
        ]
        return members.merging(usage?.json ?? [:]) { first, _ in first }
    }
}
