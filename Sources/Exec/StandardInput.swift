extension SandboxPlan {
    /// What a command can read from its standard input.
    ///
    /// It never gets a descriptor of the caller's: through `/proc/self/fd` it could open the caller's terminal or file
    /// once more, with more rights.
    public enum StandardInput: Sendable, Hashable {
        /// Nothing: `/dev/null`.
        case empty

        /// A pipe, into which the caller's input is copied.
        case pipe

        /// A terminal of the sandbox's own, which is the output as well and controls the command's session.
        case terminal
    }
}
