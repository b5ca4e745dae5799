import LayerDiff

/// What is below a directory of a context, as its walk found it, in byte order of the paths.
struct ListedFiles: Sendable {
    private struct Listing {
        var directory: ContainerPath
        var bytes: [UInt8]
    }

    private struct Place {
        var listing: UInt32
        var offset: UInt32
    }

    private var listings: [Listing] = []
    private var places: [Place] = []

    /// How many files and directories there are.
    var count: Int { places.count }

    /// The directories that hold something, in the order of ``listing(of:)``.
    var directories: [ContainerPath] { listings.map(\.directory) }

    /// The number of the directory that an entry is in.
    func listing(of number: Int) -> Int { Int(places[number].listing) }

    func record(_ number: Int) -> ListedRecord {
        let place = places[number]
        return ListedRecord(at: Int(place.offset), in: listings[Int(place.listing)].bytes)
    }

    func kind(_ number: Int, _ record: ListedRecord) -> TreeEntry.Kind {
        record.kind(at: Int(places[number].offset), in: listings[listing(of: number)].bytes)
    }

    func withName<Value>(_ number: Int, _ body: (UnsafeRawBufferPointer) throws -> Value) rethrows -> Value {
        let place = places[number]
        return try ListedRecord.withName(at: Int(place.offset), in: listings[Int(place.listing)].bytes, body)
    }

    /// In the context.
    func path(_ number: Int) -> ContainerPath {
        let directory = listings[listing(of: number)].directory
        return withName(number) { directory.child($0) }
    }

    func node(_ number: Int) -> SourceNode {
        let record = record(number)
        let entry = TreeEntry(
            path: path(number),
            kind: kind(number, record),
            mode: record.mode,
            uid: 0,
            gid: 0,
            modified: record.modified
        )
        return SourceNode(entry: entry, identity: record.identity, status: record.key)
    }

    // MARK: Made by a walk

    /// Room for the records of one directory; its number.
    fileprivate mutating func begin(_ listing: CompactListing) -> Int {
        listings.append(Listing(directory: listing.directory, bytes: listing.bytes))
        return listings.count - 1
    }

    fileprivate mutating func add(_ offset: UInt32, of listing: Int) {
        places.append(Place(listing: UInt32(listing), offset: offset))
    }

    /// Puts all in byte order of the paths.
    fileprivate mutating func sort() {
        let sorted = places.indices.map { (path: path($0), place: places[$0]) }.sorted { $0.path < $1.path }
        places = sorted.map(\.place)
    }
}

/// A walk through a context that makes compact lists of it.
struct ListedWalk {
    private struct Waiting {
        var listing: Int
        var offset: UInt32
    }

    private let tree: ContextTree
    private var files = ListedFiles()
    /// Directories that count with the first of what is below them.
    private var pending: [Waiting] = []
    private var isInOrder = true
    private var ahead: ListingAhead<CompactListing>?

    private init(_ tree: ContextTree) { self.tree = tree }

    /// All that is below `directory`.
    static func files(below directory: ContainerPath, of tree: ContextTree) throws -> ListedFiles {
        var walk = ListedWalk(tree)
        let first = try tree.compactListing(directory)
        walk.ahead = ListingAhead.begin(with: first) { [tree] in try tree.compactListing($0) }
        defer { walk.ahead?.stop() }
        try walk.visit(first)
        if !walk.isInOrder { walk.files.sort() }
        return walk.files
    }

    /// What is in a directory comes among its siblings where its path with a slash does: behind `a` come `a-b` and `a.c`,
    /// then `a/b`.
    private mutating func visit(_ listing: CompactListing) throws {
        guard listing.count > 0 else { return }
        let place = files.begin(listing)
        var directories = zip(listing.entered, listing.directories).makeIterator()
        var next = directories.next()
        for number in 0..<listing.count {
            while let directory = next, listing.contents(of: directory.0, precede: number) {
                try enter(directory, of: listing, at: place)
                next = directories.next()
            }
            if !listing.record(number).isImplicit { take(listing.starts[number], of: place) }
        }
        while let directory = next {
            try enter(directory, of: listing, at: place)
            next = directories.next()
        }
    }

    private mutating func take(_ offset: UInt32, of listing: Int) {
        // Their own places were before the siblings that may have been taken since.
        if !pending.isEmpty { isInOrder = false }
        for waiting in pending { files.add(waiting.offset, of: waiting.listing) }
        pending = []
        files.add(offset, of: listing)
    }

    private mutating func enter(
        _ directory: (number: Int, path: ContainerPath),
        of listing: CompactListing,
        at place: Int
    ) throws {
        let own =
            listing.record(directory.number).isImplicit
            ? Waiting(listing: place, offset: listing.starts[directory.number]) : nil
        if let own { pending.append(own) }
        try visit(try ahead?.children(directory.path) ?? tree.compactListing(directory.path))
        if let own, let last = pending.last, last.listing == place, last.offset == own.offset { pending.removeLast() }
    }
}
