import Exec
import Glibc

extension GitProgram {
    /// How long to wait after one failure and the next, in milliseconds.
    private static let waits = [500, 1000, 2000]

    /// Runs git where it talks to the remote: after a failure that may pass it waits, and tries again.
    /// - Throws: ``GitError``, that of the last try.
    @discardableResult
    func runRemotely(
        _ arguments: [String],
        in directory: String,
        what: String,
        mayGoOn: @escaping () -> Bool = { true }
    ) throws(GitError) -> [UInt8] {
        for wait in Self.waits {
            do throws(GitError) {
                return try run(arguments, in: directory, what: what, mayGoOn: mayGoOn)
            } catch {
                guard case .failed(_, _, let message) = error, GitMessage.mayPass(message) else { throw error }
            }
            try pause(milliseconds: wait)
        }
        return try run(arguments, in: directory, what: what, mayGoOn: mayGoOn)
    }

    private func pause(milliseconds: Int) throws(GitError) {
        let step = 50
        for _ in 0..<(milliseconds / step) {
            guard !cancellation.isCancelled else { throw .cancelled }
            usleep(useconds_t(step * 1000))
        }
    }
}
