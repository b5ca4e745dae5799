import Builder
import OCI

/// What `swbuild doctor` prints.
struct DoctorReport {
    private let findings: [MachineFinding]
    private let facts: MachineFacts

    init(facts: MachineFacts) {
        self.facts = facts
        findings = facts.findings
    }

    var allowsBuilds: Bool { findings.allowBuilds }

    private var verdict: String {
        let who = facts.isRoot ? "root" : (facts.userName.isEmpty ? "user \(facts.uid)" : facts.userName)
        return allowsBuilds
            ? "\(who) can run builds on this machine (Linux \(facts.kernel))"
            : "\(who) cannot run builds on this machine (Linux \(facts.kernel)): something that they need is missing"
    }

    /// A line for each finding, and one for what mends it.
    func text(hasColor: Bool) -> String {
        let width = findings.map(\.subject.count).max() ?? 0
        var lines: [String] = []
        for finding in findings {
            let state = Self.padded(finding.state.rawValue, to: 7)
            let shown = hasColor ? "\u{1B}[\(Self.color(finding.state))m\(state)\u{1B}[0m" : state
            lines.append("\(shown)  \(Self.padded(finding.subject, to: width))  \(finding.fact)")
            if let remedy = finding.remedy {
                lines.append("\(Self.padded("", to: 7 + 2 + width + 2))to mend it: \(remedy)")
            }
        }
        return (lines + ["", verdict]).joined(separator: "\n")
    }

    var json: JSONValue {
        .object([
            "builds": .bool(allowsBuilds), "kernel": .string(facts.kernel), "user": .integer(Int64(facts.uid)),
            "findings": .array(
                findings.map { finding in
                    .object([
                        "subject": .string(finding.subject), "state": .string(finding.state.rawValue),
                        "fact": .string(finding.fact), "remedy": finding.remedy.map(JSONValue.string) ?? .null,
                        "needed": .bool(finding.isNeeded),
                    ])
                }
            ),
        ])
    }

    private static func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func color(_ state: MachineFinding.State) -> Int {
        switch state {
        case .ok: 32
        case .limited: 33
        case .missing: 31
        }
    }
}
