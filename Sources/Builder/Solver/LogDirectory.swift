import Glibc
import OCI
import Synchronization

/// Where a build's logs go: a directory with the time of its beginning, made when the first step runs.
final class LogDirectory: Sendable {
    private let path: String
    private let isMade = Mutex(false)

    /// Names a new directory in `parent`.
    init(in parent: String) {
        path = "\(parent)/\(CreationTime(seconds: Int64(time(nil))).description)-\(getpid())"
    }

    /// The directory, which is there now.
    func directory() throws -> String {
        try isMade.withLock { isMade in
            if !isMade { try HostFile.createDirectories(path) }
            isMade = true
        }
        return path
    }
}
