/// The lanes of a trace: one for the build, one for each step, and as many as are needed for what runs beside them.
struct TraceLanes {
    /// A lane with its spans, none of which overlaps another without lying within it.
    struct Lane: Equatable {
        var name: String
        var spans: [Span]
    }

    /// The lanes in the order in which they are shown.
    let lanes: [Lane]

    init(_ spans: [Span], steps: [String]) {
        var build: [Span] = []
        var ofSteps: [Int: [Span]] = [:]
        var compression: [Span] = []
        var export: [Span] = []
        for span in spans {
            switch span.work {
            case .compressing, .recording: compression.append(span)
            case .blob: export.append(span)
            default:
                if let step = span.step { ofSteps[step, default: []].append(span) } else { build.append(span) }
            }
        }
        var lanes = [Lane(name: "build", spans: build)]
        for step in ofSteps.keys.sorted() {
            let name = steps.indices.contains(step) ? " \(steps[step])" : ""
            lanes.append(Lane(name: "#\(step + 1)\(name)", spans: ofSteps[step] ?? []))
        }
        lanes += Self.rows(of: compression).map { Lane(name: "compression", spans: $0) }
        lanes += Self.rows(of: export).map { Lane(name: "export", spans: $0) }
        self.lanes = lanes.map { Lane(name: $0.name, spans: Self.sorted($0.spans)) }
    }

    /// Outer spans before those within them.
    private static func sorted(_ spans: [Span]) -> [Span] {
        spans.sorted { ($0.began, $1.ended) < ($1.began, $0.ended) }
    }

    /// As few rows as spans that do not overlap within one need.
    private static func rows(of spans: [Span]) -> [[Span]] {
        var rows: [[Span]] = []
        var ends: [Moment] = []
        for span in sorted(spans) {
            if let row = ends.firstIndex(where: { $0 <= span.began }) {
                rows[row].append(span)
                ends[row] = span.ended
            } else {
                rows.append([span])
                ends.append(span.ended)
            }
        }
        return rows
    }
}
