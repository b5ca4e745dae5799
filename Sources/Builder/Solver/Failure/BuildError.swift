import BuildFileParser
import Exec

/// Why a build failed: facts, that the command line turns into text.
public enum BuildError: Error {
    /// The build file, or a request that does not fit it.
    case diagnostic(Diagnostic)
    /// A step's command ended with a failure.
    case command(CommandFailure)
    /// A step could not be carried out.
    case step(StepDisplay, any Error)
    /// Something outside the steps.
    case general(any Error)
    case cancelled
}

/// How a command failed.
public struct CommandFailure: Sendable {
    /// The step that ran it.
    public var display: StepDisplay
    /// The command and its arguments.
    public var arguments: [String]
    /// How it ended.
    public var status: ExitStatus
    /// The last lines of its output.
    public var tail: [String]
    /// The complete output.
    public var logPath: String
    /// What the status means, and what may have led to it: one sentence each.
    public var notes: [String]
}
