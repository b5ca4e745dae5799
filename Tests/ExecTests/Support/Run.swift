import Exec
import Testing

/// What a step left: its outcome and all it wrote.
struct Ran: Sendable {
    var outcome: StepOutcome
    var output = ""
    var error = ""

    var status: Exec.ExitStatus { outcome.status }
}

extension SandboxPlan {
    /// Runs the plan and keeps what it writes.
    func run(
        _ cancellation: Cancellation = Cancellation(),
        _ supervision: Supervision? = nil,
        lane: SandboxLane? = nil
    ) throws(SandboxError) -> Ran {
        var output: [UInt8] = []
        var error: [UInt8] = []
        let outcome = try run(cancellation: cancellation, supervision: supervision, lane: lane) { stream, bytes in
            switch stream {
            case .standardOutput: output += bytes
            case .standardError: error += bytes
            }
        }
        return Ran(
            outcome: outcome,
            output: String(decoding: output, as: UTF8.self),
            error: String(decoding: error, as: UTF8.self)
        )
    }

    /// What the plan writes to its standard output; records an issue when it fails.
    func output(_ location: SourceLocation = #_sourceLocation) throws -> String {
        let ran = try run()
        #expect(ran.status == .exited(0), "\(ran.error)", sourceLocation: location)
        return ran.output
    }

    /// A copy with changes.
    func with(_ change: (inout SandboxPlan) -> Void) -> SandboxPlan {
        var copy = self
        change(&copy)
        return copy
    }
}

/// The error that starting a plan ends in; records an issue when it starts.
func failure(of plan: SandboxPlan, _ location: SourceLocation = #_sourceLocation) -> SandboxError? {
    do {
        let ran = try plan.run()
        Issue.record("the step ran: \(ran)", sourceLocation: location)
        return nil
    } catch {
        return error
    }
}
