import Builder
import OCI

/// What a build's time went to, as a table for a reader.
enum TimesTable {
    private static let indent = "  "

    /// A line for each step that ran, and one for the build.
    ///
    /// All but the heading are indented: lines that begin with a step's number are about what happens.
    static func text(_ times: BuildTimes) -> String {
        let header = ["command", "cpu", "memory", "set-up", "layer", "waited", "compressed after", "step"]
        let rows = times.steps.map { step in
            [
                time(step.command), time(step.usage?.cpuSeconds ?? 0), memory(of: step), time(step.setUp),
                time(step.layer), time(step.waiting), compression(of: step),
                "#\(step.index + 1) \(PlainProgress.firstLine(step.name))",
            ]
        }
        let table = Table.text(header: header, rows: rows).split(separator: "\n").map { indent + $0 }
        return (["times:"] + table + [indent + summary(times)]).joined(separator: "\n")
    }

    /// What the step held at most; of its largest process alone where nothing has measured the whole.
    private static func memory(of step: BuildTimes.Step) -> String {
        guard let usage = step.usage, usage.memory > 0 else { return none }
        return (usage.isWholeStep ? "" : "≥ ") + usage.mebibytes
    }

    private static func compression(of step: BuildTimes.Step) -> String {
        let waited = time(step.compressionWait)
        return time(step.compression) + (waited == none ? "" : ", \(waited) waited for")
    }

    private static func summary(_ times: BuildTimes) -> String {
        let parts = [
            ("planning", times.planning), ("steps", times.running), ("compression waited for", times.compressionWait),
            ("image", times.image), ("disk waited for", times.disk), ("outputs", times.outputs),
        ].map { "\($0.0) \(PlainProgress.time($0.1))" }
        return "total \(PlainProgress.time(times.total)): \(parts.joined(separator: ", "))"
    }

    private static let none = "-"

    /// Nothing is less conspicuous than a zero.
    private static func time(_ seconds: Double) -> String {
        seconds < 0.0005 ? none : PlainProgress.time(seconds)
    }
}

extension BuildTimes {
    /// The members of the event that tells programs.
    var json: [String: JSONValue] {
        [
            "steps": .array(steps.map(\.json)), "total": Self.rounded(total), "planning": Self.rounded(planning),
            "running": Self.rounded(running), "compression_wait": Self.rounded(compressionWait),
            "image": Self.rounded(image), "disk_wait": Self.rounded(disk), "outputs": Self.rounded(outputs),
        ]
    }

    /// Seconds to the microsecond.
    fileprivate static func rounded(_ seconds: Double) -> JSONValue { .number((seconds * 1e6).rounded() / 1e6) }
}

extension BuildTimes.Step {
    fileprivate var json: JSONValue {
        let members: [String: JSONValue] = [
            "step": .integer(Int64(index + 1)), "name": .string(name), "command": BuildTimes.rounded(command),
            "set_up": BuildTimes.rounded(setUp), "layer": BuildTimes.rounded(layer),
            "waited": BuildTimes.rounded(waiting), "compression": BuildTimes.rounded(compression),
            "compression_wait": BuildTimes.rounded(compressionWait),
        ]
        return .object(members.merging(usage?.json ?? [:]) { first, _ in first })
    }
}
