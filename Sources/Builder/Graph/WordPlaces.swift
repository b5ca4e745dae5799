import BuildFileParser

/// Where the words of a step's instruction stand: for messages about what only running the step shows to be wrong.
struct WordPlaces: Sendable, Hashable {
    /// The sources of COPY and ADD, by their expanded text.
    var sources: [String: SourceRange] = [:]
    /// `--chown`.
    var owner: SourceRange?
    /// `--checksum`.
    var checksum: SourceRange?
    /// The `USER` in force, where the file has one.
    var user: SourceRange?
    /// The destination of COPY and ADD, and the directory of WORKDIR.
    var destination: SourceRange?
    /// The `--mount` flags in order.
    var mounts: [SourceRange] = []
    /// The command of RUN.
    var command: SourceRange?
}
