/// Which system calls a step may make.
public enum SeccompPolicy: Sendable, Hashable {
    /// Docker's default profile for containers, with what the step's capabilities add to it.
    case docker

    /// What a program, made of a user's rules, says.
    case program(SeccompProgram)

    /// All of them.
    case unconfined
}
