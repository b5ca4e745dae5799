import Glibc
import LayerDiff

/// What a directory holds, as a walk goes on from it.
protocol DirectoryListing: Sendable {
    /// How many names it has.
    var count: Int { get }
    /// The directories among them, in the order in which the walk enters them.
    var directories: [ContainerPath] { get }
}

extension [SourceNode]: DirectoryListing {
    var directories: [ContainerPath] { lazy.filter(\.entry.isDirectory).map(\.entry.path) }
}

/// Lists a tree's directories ahead of a walk, on a thread of its own and on the walk's where that would wait.
///
/// The walk makes something of one directory's files while the kernel is asked about the next ones'. Directories are
/// listed about in the order in which the walk comes to them, and no more than some wait to be taken: memory does not
/// grow with the tree.
final class ListingAhead<Listing: DirectoryListing>: @unchecked Sendable {
    // Unchecked because the compiler cannot see that all that changes is touched only under `monitor`.
    private let monitor = Monitor()
    private let listing: @Sendable (ContainerPath) throws -> Listing
    /// The directories that nobody has begun to list, those that the walk enters first at the end.
    private var waiting: [ContainerPath]
    private var listings: [ContainerPath: Result<Listing, any Error>] = [:]
    /// How many files are in them, each listing counted as one more.
    private var size = 0
    private var isStopped = false

    /// As many files as may wait to be taken; one directory may have more.
    private let most = 4096

    private init(_ directories: [ContainerPath], _ listing: @escaping @Sendable (ContainerPath) throws -> Listing) {
        self.listing = listing
        waiting = directories.reversed()
    }

    /// Begins with the directories of `first`; `nil` where there is none, or no thread to be had.
    static func begin(
        with first: Listing,
        _ listing: @escaping @Sendable (ContainerPath) throws -> Listing
    ) -> ListingAhead? {
        let directories = first.directories
        guard !directories.isEmpty else { return nil }
        let ahead = ListingAhead(directories, listing)
        return startThread { ahead.run() } == 0 ? ahead : nil
    }

    private func run() {
        monitor.lock()
        defer { monitor.unlock() }
        while !isStopped {
            if size >= most || waiting.isEmpty {
                monitor.wait()
            } else if let path = waiting.popLast() {
                list(path)
            }
        }
    }

    /// Lists a directory that was taken from those that wait; the lock is let go of meanwhile.
    private func list(_ path: ContainerPath) {
        monitor.unlock()
        let result = Result { try listing(path) }
        let directories = (try? result.get())?.directories ?? []
        monitor.lock()
        listings[path] = result
        size += Self.size(of: result)
        waiting += directories.reversed()
        monitor.signal()
    }

    private static func size(of listing: Result<Listing, any Error>) -> Int {
        ((try? listing.get().count) ?? 0) + 1
    }

    /// What a directory holds that the walk enters; it enters each of them once.
    func children(_ path: ContainerPath) throws -> Listing {
        monitor.lock()
        defer { monitor.unlock() }
        while true {
            if let listing = listings.removeValue(forKey: path) {
                size -= Self.size(of: listing)
                // Not for each directory: the other thread is to have something to do when it wakes.
                if size < most / 2 { monitor.signal() }
                return try listing.get()
            }
            if let position = waiting.lastIndex(of: path) {
                waiting.remove(at: position)
                list(path)
            } else if size < most, let other = waiting.popLast() {
                // The other thread is at it: here is time for one more.
                list(other)
            } else {
                monitor.wait()
            }
        }
    }

    /// Nobody asks any more.
    func stop() {
        monitor.lock()
        isStopped = true
        listings = [:]
        monitor.signal()
        monitor.unlock()
    }
}
