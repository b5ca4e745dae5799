import Glibc
import LayerDiff

/// Lists a tree's directories ahead of a walk, on a thread of its own and on the walk's where that would wait.
///
/// The walk makes something of one directory's files while the kernel is asked about the next ones'. Directories are
/// listed about in the order in which the walk comes to them, and no more than some wait to be taken: memory does not
/// grow with the tree.
final class ListingAhead: @unchecked Sendable {
    // Unchecked because the compiler cannot see that all that changes is touched only under `lock`.
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let tree: any SourceTree
    /// The directories that nobody has begun to list, those that the walk enters first at the end.
    private var waiting: [ContainerPath]
    private var listings: [ContainerPath: Result<[SourceNode], any Error>] = [:]
    /// How many files are in them, each listing counted as one more.
    private var size = 0
    private var isStopped = false

    /// As many files as may wait to be taken; one directory may have more.
    private static let most = 4096

    private init(_ tree: any SourceTree, _ directories: [ContainerPath]) {
        self.tree = tree
        waiting = directories.reversed()
        pthread_mutex_init(lock, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(lock)
        lock.deallocate()
        changed.deallocate()
    }

    /// Begins with the directories among `nodes`; `nil` where there is none, or no thread to be had.
    static func begin(with nodes: [SourceNode], of tree: any SourceTree) -> ListingAhead? {
        let directories = directories(nodes)
        guard !directories.isEmpty else { return nil }
        let ahead = ListingAhead(tree, directories)
        return startThread { ahead.run() } == 0 ? ahead : nil
    }

    private static func directories(_ nodes: [SourceNode]) -> [ContainerPath] {
        nodes.lazy.filter(\.entry.isDirectory).map(\.entry.path)
    }

    private func run() {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while !isStopped {
            if size >= Self.most || waiting.isEmpty {
                pthread_cond_wait(changed, lock)
            } else if let path = waiting.popLast() {
                list(path)
            }
        }
    }

    /// Lists a directory that was taken from those that wait; the lock is let go of meanwhile.
    private func list(_ path: ContainerPath) {
        pthread_mutex_unlock(lock)
        let listing = Result { try tree.children(path) }
        let directories = (try? listing.get()).map(Self.directories) ?? []
        pthread_mutex_lock(lock)
        listings[path] = listing
        size += Self.size(of: listing)
        waiting += directories.reversed()
        pthread_cond_signal(changed)
    }

    private static func size(of listing: Result<[SourceNode], any Error>) -> Int {
        ((try? listing.get().count) ?? 0) + 1
    }

    /// What a directory holds that the walk enters; it enters each of them once.
    func children(_ path: ContainerPath) throws -> [SourceNode] {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while true {
            if let listing = listings.removeValue(forKey: path) {
                size -= Self.size(of: listing)
                // Not for each directory: the other thread is to have something to do when it wakes.
                if size < Self.most / 2 { pthread_cond_signal(changed) }
                return try listing.get()
            }
            if let position = waiting.lastIndex(of: path) {
                waiting.remove(at: position)
                list(path)
            } else if size < Self.most, let other = waiting.popLast() {
                // The other thread is at it: here is time for one more.
                list(other)
            } else {
                pthread_cond_wait(changed, lock)
            }
        }
    }

    /// Nobody asks any more.
    func stop() {
        pthread_mutex_lock(lock)
        isStopped = true
        listings = [:]
        pthread_cond_signal(changed)
        pthread_mutex_unlock(lock)
    }
}
