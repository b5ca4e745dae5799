import Glibc
import LayerDiff
import OCI
import Synchronization

/// The digests of a context's files by what `stat` says of them, kept from build to build.
///
/// A digest is reused only where device, inode, size, both times to the nanosecond are as they were, and where the file
/// was last changed well before it was hashed: a change within the clock's grain would go unseen otherwise (git's
/// "racily clean" entries).
final class ContentHashes: Sendable {
    private struct State {
        var learnt: [FileKey: Digest] = [:]
        /// Which of the kept records this build looked at.
        var used: [Bool]
    }

    private static let ofNothing = Digest(of: [])

    private let path: String
    private let kept: KeptHashes
    private let state: Mutex<State>

    /// Loads what was kept at `path`; anything unreadable is as good as nothing.
    init(path: String) {
        self.path = path
        kept = KeptHashes((try? HostFile.read(path, limit: 1 << 30)) ?? [])
        state = Mutex(State(used: Array(repeating: false, count: kept.count)))
    }

    /// The digest of a file whose `stat` is as it was when it was hashed; `nil` where it must be read.
    func knownDigest(of key: FileKey) -> Digest? {
        // A layer takes as many bytes of a file as `stat` says.
        if key.size == 0 { return Self.ofNothing }
        guard let position = kept.position(of: key) else { return state.withLock { $0.learnt[key] } }
        state.withLock { $0.used[position] = true }
        return kept.digest(at: position)
    }

    func digest(of node: SourceNode, in directory: Directory) throws -> Digest {
        guard let status = node.status else { return try contentDigest(directory, node.entry.path) }
        if let known = knownDigest(of: status) { return known }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let digest = try contentDigest(directory, node.entry.path)
        learn(digest, of: status, at: Int64(now.tv_sec))
        return digest
    }

    /// Keeps the digest of a file that was read after `time`, and was then as `status` says.
    func learn(_ digest: Digest, of status: FileKey, at time: Int64) {
        let latest = max(status.modified.seconds, status.changed.seconds)
        if latest < time - 2 { state.withLock { $0.learnt[status] = digest } }
    }

    /// Writes back what this build used, where it learnt something.
    ///
    /// What it did not look at stays: another build file over the same context may need it. A failure costs the next
    /// build time, no more.
    func save() {
        let bytes = state.withLock { state -> [UInt8]? in
            state.learnt.isEmpty ? nil : kept.encoded(adding: state.learnt, used: state.used)
        }
        if let bytes { try? HostFile.write(bytes, to: path) }
    }
}
