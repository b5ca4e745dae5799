import SystemPackage

/// A file operation that the system refused.
public struct FileError: Error, Sendable, Hashable {
    /// What was tried, as it reads after 'cannot': `open`, `read`, `set the owner of`.
    public let operation: String
    /// The path that it was tried on; bytes that are no UTF-8 are replaced.
    public let path: String
    /// What the system answered.
    public let errno: Errno

    /// Collects the facts.
    public init(operation: String, path: String, errno: Errno) {
        self.operation = operation
        self.path = path
        self.errno = errno
    }

    /// Takes a negated errno, as the shims return it.
    init(_ operation: String, _ path: String, negated result: Int) {
        self.init(operation: operation, path: path, errno: Errno(rawValue: CInt(-result)))
    }
}

extension FileError: CustomStringConvertible {
    /// One sentence: what failed, on which path, and why.
    public var description: String {
        // chown(2) has no other reason for this answer.
        let isUnmapped = errno == .invalidArgument && operation.hasPrefix(Self.settingOwner)
        let advice = "; the user namespace has no such id: lend more ids to the user in /etc/subuid and /etc/subgid"
        return "cannot \(operation) \(path): \(errno)\(isUnmapped ? advice : "")"
    }

    /// How the operation of changing an owner begins.
    static let settingOwner = "set the owner"
}
