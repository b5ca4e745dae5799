import Glibc

/// Why something could not be had of a git repository; every URL in it is without credentials.
enum GitError: Error, Sendable, Hashable {
    case missingProgram
    case cannotStart(errno: CInt)
    case failed(what: String, url: String, message: String)
    case timedOut(what: String, url: String, seconds: Int)
    case tooLarge(url: String, limit: Int64)
    case cancelled
    case noDefault(url: String)
    case unknownRef(String, url: String)
    case wrongCommit(url: String, expected: String, found: String)
    case missingCommit(String, url: String)
    case noDirectory(String, url: String)
    case reservedName(String, url: String)
    case submodule(path: String, url: String, reason: String)
    case unreadable(what: String, url: String)
}

extension GitError: CustomStringConvertible {
    var description: String {
        switch self {
        case .missingProgram: "git repositories need the program git, which is not in PATH; install git"
        case .cannotStart(let errno): "cannot start git: \(String(cString: strerror(errno)))"
        case .failed(let what, let url, let message):
            "cannot \(what) \(url): \(message)\(Self.advice(for: message))"
        case .timedOut(let what, let url, let seconds): "cannot \(what) \(url): it took longer than \(seconds) seconds"
        case .tooLarge(let url, let limit): "\(url) is larger than the limit of \(limit) bytes"
        case .cancelled: "the build was cancelled"
        case .noDefault(let url): "\(url) has no default branch: name a branch, tag or commit, as in \(url)#main"
        case .unknownRef(let ref, let url):
            "\(url) has no branch or tag `\(ref)`"
                + (GitReference.isCommitPrefix(ref) ? "; a commit needs its whole name" : "")
        case .wrongCommit(let url, let expected, let found):
            "\(url) is at commit \(found), but its checksum says \(expected); nothing was taken from it"
        case .missingCommit(let commit, let url): "\(url) has no commit \(commit), or does not let it be fetched"
        case .noDirectory(let path, let url): "there is no directory `\(path)` in \(url)"
        case .reservedName(let path, let url): "\(url) holds \(path), a name that git keeps for itself"
        case .submodule(let path, let url, let reason): "the submodule \(path) of \(url) cannot be fetched: \(reason)"
        case .unreadable(let what, let url): "git's \(what) of \(url) cannot be read"
        }
    }

    /// What to do about git's commonest complaints.
    private static func advice(for message: String) -> String {
        let text = message.lowercased()
        if text.contains("could not read username") || text.contains("authentication failed") {
            return "; give a token: --secret id=GIT_AUTH_TOKEN,env=NAME"
        }
        if text.contains("host key verification failed") { return "; add the host's key to ~/.ssh/known_hosts" }
        if text.contains("permission denied (publickey") { return "; add a key to your ssh agent with ssh-add" }
        if text.contains("could not resolve host") { return "; check the name and the network" }
        if text.contains("not supported or disabled in libcurl") {
            return "; it redirects to a protocol that may not follow its own"
        }
        if text.contains("certificate") { return "; SSL_CERT_FILE can name your own authority's certificate" }
        return ""
    }
}
