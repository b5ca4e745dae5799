/// What a fact of a machine means for builds.
public struct MachineFinding: Sendable, Hashable {
    /// How well something serves.
    public enum State: String, Sendable, Hashable {
        /// It is as it should be.
        case ok
        /// Builds run, but slower, weaker, or not all of them.
        case limited
        /// It is not there.
        case missing
    }

    /// What the finding is about, in one or two words.
    public var subject: String
    /// How well it serves.
    public var state: State
    /// One sentence: what was found.
    public var fact: String
    /// The command or setting that mends it; `nil` where nothing is to be mended, or nothing can be.
    public var remedy: String?
    /// Whether no build runs without it.
    public var isNeeded = false

    init(_ subject: String, _ state: State, _ fact: String, remedy: String? = nil, isNeeded: Bool = false) {
        self.subject = subject
        self.state = state
        self.fact = fact
        self.remedy = remedy
        self.isNeeded = isNeeded
    }
}

extension [MachineFinding] {
    /// Whether builds with RUN can run: nothing that they need is missing.
    public var allowBuilds: Bool { allSatisfy { !$0.isNeeded || $0.state != .missing } }
}
