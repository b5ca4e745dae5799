import CShims
import Glibc
import SystemPackage

/// What connects this program with a step, before the step is there: both ends of everything.
struct StepStreams: ~Copyable {
    private let output: Pipe
    private let error: Pipe
    private let report: Pipe
    /// A pidfd of this process.
    private let parent: Descriptor
    /// Where the step's process sends the listener of its calls, if somebody is to be asked about them.
    private let calls: CallChannel

    /// Makes them.
    static func make() throws(SandboxError) -> StepStreams {
        let output = try attempt { () throws(Errno) in try Pipe() }
        let error = try attempt { () throws(Errno) in try Pipe() }
        let report = try attempt { () throws(Errno) in try Pipe() }
        let parent = try attempt { () throws(Errno) in try Descriptor.ownProcess() }
        let calls = try attempt { () throws(Errno) in try CallChannel() }
        return StepStreams(output: output, error: error, report: report, parent: parent, calls: calls)
    }

    private static func attempt<Value: ~Copyable>(_ body: () throws(Errno) -> Value) throws(SandboxError) -> Value {
        do {
            return try body()
        } catch {
            throw SandboxError(.standardStreams, error)
        }
    }

    /// Names the step's ends to its process.
    borrowing func connect(_ lowered: inout swb_plan, supervised: Bool) {
        lowered.standard_output = output.writer.number
        lowered.standard_error = error.writer.number
        lowered.report = report.writer.number
        lowered.parent = parent.number
        lowered.supervisor = supervised ? calls.remote.number : -1
    }

    /// Makes the step's ends those of its user, who could not open `/dev/stdout` otherwise.
    borrowing func give(to plan: SandboxPlan) throws(SandboxError) {
        try Self.give(output.writer.number, to: plan)
        try Self.give(error.writer.number, to: plan)
    }

    /// Makes the step's end of a pipe that of its user.
    static func give(_ end: CInt, to plan: SandboxPlan) throws(SandboxError) {
        let user = plan.idMaps?.users.outside(plan.credentials.uid) ?? plan.credentials.uid
        let group = plan.idMaps?.groups.outside(plan.credentials.gid) ?? plan.credentials.gid
        guard user != geteuid() || group != getegid() else { return }
        guard fchown(end, user, group) == 0 else { throw SandboxError(.standardStreams, code: errno) }
    }

    /// Who hears of the step's calls.
    borrowing func listener(_ supervision: Supervision?) throws(SandboxError) -> CallListener? {
        guard let supervision else { return nil }
        do {
            return try calls.listener(supervision)
        } catch {
            throw SandboxError(.standardStreams, error)
        }
    }

    /// This program's ends; the step's are closed.
    consuming func own(_ listener: CallListener?) -> RunningStep.Ends {
        RunningStep.Ends(
            standardOutput: output.reader,
            standardError: error.reader,
            reports: report.reader,
            calls: listener
        )
    }
}
