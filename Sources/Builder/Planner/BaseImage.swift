import OCI

/// An image that a stage stands on, as far as checks want to know it.
struct BaseImage: Sendable {
    var name: String
    var expected: Platform
    var actual: Platform
    /// The names of the variables that it sets.
    var variables: [String]
}
