/// Which system calls a step may make.
public enum SeccompPolicy: Sendable, Hashable {
    /// Docker's default profile for containers, with what the step's capabilities add to it.
    case docker

    /// All of them.
    case unconfined
}
