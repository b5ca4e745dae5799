import LayerDiff

/// A name of a build context, and whether steps see it.
public struct ContextEntry: Sendable, Hashable {
    /// Whether steps see it, and if not, why.
    public enum Fate: Sendable, Hashable {
        case kept
        /// A line of the ignore file drops it, with all that is in it unless that is listed too.
        case dropped(line: Int, pattern: String)
        /// It cannot be copied, whatever the ignore file says.
        case unusable(String)
    }

    /// Relative to the context, in bytes.
    public let path: [UInt8]
    /// What it is.
    public let kind: FileKind
    /// A file's length in bytes, else zero.
    public let size: Int64
    /// Whether steps see it.
    public let fate: Fate

    func with(_ fate: Fate) -> ContextEntry { ContextEntry(path: path, kind: kind, size: size, fate: fate) }
}
