import SystemPackage

/// Why this process could not become root of a user namespace.
public enum UserNamespaceError: Error, Sendable, Hashable {
    /// A file lends no ids to the user.
    case noSubordinateIDs(file: String, user: String)
    /// There is no such program on the PATH.
    case programMissing(String)
    /// A program could not be started.
    case programFailed(String, Errno)
    /// A program did not write a map, in its own words.
    case refused(program: String, message: String)
    /// The kernel makes no user namespace for this user.
    case forbidden(Errno)
    /// The namespace is there, but this process may not join it.
    case closed(Errno)
}

extension UserNamespaceError: CustomStringConvertible {
    /// One sentence: what is missing, and the command that mends it.
    public var description: String {
        switch self {
        case .noSubordinateIDs(let file, let user):
            let kind = file.hasSuffix("gid") ? "gids" : "uids"
            return "\(file) has no ids for the user \(user); run as root: "
                + "usermod --add-sub\(kind) 100000-165535 \(user) (a range that no other line of the file has)"
        case .programMissing(let program):
            return "there is no \(program) on the PATH; install Debian's package uidmap (shadow-utils elsewhere)"
        case .programFailed(let program, let errno):
            return "cannot run \(program): \(errno)"
        case .refused(let program, let message):
            return "\(program) wrote no map: \(message); the program must be set-user-ID root (or have the "
                + "capability), and /etc/subuid and /etc/subgid must lend the ids to this very user"
        case .forbidden(.noSpace):
            return "no more user namespaces are allowed; raise them with sysctl user.max_user_namespaces=15000"
        case .forbidden(let errno):
            return "this machine makes no user namespace for ordinary users (\(errno)); allow it with sysctl "
                + "kernel.unprivileged_userns_clone=1 or kernel.apparmor_restrict_unprivileged_userns=0, whichever "
                + "there is; within a container, its system call filter may forbid it"
        case .closed(let errno): return "cannot enter the new user namespace: \(errno)"
        }
    }
}
