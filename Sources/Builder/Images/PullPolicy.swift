/// When base images are looked for at their registries.
public enum PullPolicy: String, Sendable, Hashable, CaseIterable {
    /// Each time; what is here already is not brought again.
    case always
    /// Where the store has not got them.
    case missing
    /// Not at all.
    case never
}
