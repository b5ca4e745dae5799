/// A place of a layer where a pattern was found.
public struct LayerMatch: Sendable, Hashable {
    /// What of an entry holds it.
    public enum Part: Sendable, Hashable {
        /// The path itself: whoever shows the path shows the pattern.
        case name
        case content
        case linkTarget
        case attributeName
        case attributeValue(name: [UInt8])
    }

    /// The number of the pattern.
    public var pattern: Int
    /// The entry's path.
    public var path: ContainerPath
    /// Where in the entry.
    public var part: Part
}

extension PatternSearch {
    /// Whether a text or other short value holds a pattern: which one, and how many bytes are before it.
    public func firstMatch(in bytes: [UInt8]) -> (pattern: Int, offset: Int)? {
        bytes.withUnsafeBytes { first(in: $0) }.map { ($0.pattern, $0.offset) }
    }

    /// The first pattern in what a layer says of a path, contents aside.
    func match(in entry: TreeEntry) -> LayerMatch? {
        func match(_ bytes: [UInt8], _ part: LayerMatch.Part) -> LayerMatch? {
            firstMatch(in: bytes).map { LayerMatch(pattern: $0.pattern, path: entry.path, part: part) }
        }
        if let found = match(entry.path.bytes, .name) { return found }
        switch entry.kind {
        case .symlink(let target):
            if let found = match(target, .linkTarget) { return found }
        case .hardLink(let target):
            if let found = match(target.bytes, .linkTarget) { return found }
        case .file, .directory, .characterDevice, .blockDevice, .fifo, .whiteout: break
        }
        for attribute in entry.attributes {
            if let found = match(attribute.name, .attributeName) { return found }
            if let found = match(attribute.value, .attributeValue(name: attribute.name)) { return found }
        }
        return nil
    }
}

/// The search through a layer that is being written: its entries here, its contents with the bytes of the tar.
struct LayerSearch {
    private let search: PatternSearch
    /// Where the content of each entry begins in the tar.
    private var places: [Int64] = []
    private var found: LayerMatch?

    init(_ search: PatternSearch) {
        self.search = search
    }

    /// Looks through an entry, whose content comes next in the tar.
    mutating func add(_ entry: TreeEntry, contentAt place: Int64) {
        places.append(place)
        if found == nil { found = search.match(in: entry) }
    }

    /// What was found, given what was found in the tar; `entries` are those that were added.
    func match(inTar hit: (pattern: Int, offset: Int64)?, entries: [TreeEntry]) -> LayerMatch? {
        if let found { return found }
        guard let hit else { return nil }
        // The last entry whose content begins at or before the place.
        var (low, high) = (0, places.count)
        while low < high {
            let middle = (low + high) / 2
            if places[middle] <= hit.offset { low = middle + 1 } else { high = middle }
        }
        let path = low > 0 ? entries[low - 1].path : .root
        return LayerMatch(pattern: hit.pattern, path: path, part: .content)
    }
}

extension LayerReader {
    /// The first of the patterns in the layer in `blob`, a file that is read from its start.
    /// - Throws: ``LayerError`` when the blob is damaged.
    public static func firstMatch(
        of search: PatternSearch,
        in blob: OwnedDescriptor,
        limits: LayerLimits = LayerLimits()
    ) throws(LayerError) -> LayerMatch? {
        let reader = TarReader(try BlobSource(blob.fileDescriptor, limits: limits))
        var stream = StreamSearch(search)
        while let member = try reader.next() {
            switch try LayerMember(member) {
            case .entry(let entry):
                if let found = search.match(in: entry) { return found }
                stream.reset()
                var end: Int64 = 0
                try reader.content { (piece, offset) throws(LayerError) in
                    // A hole is between what is on its sides.
                    if offset != end, stream.found == nil { stream.reset() }
                    stream.add(piece)
                    end = offset + Int64(piece.count)
                }
                if let found = stream.found {
                    return LayerMatch(pattern: found.pattern, path: entry.path, part: .content)
                }
            case .whiteout(let path):
                if let found = search.match(in: .whiteout(path)) { return found }
            case .opaque, .ignored: break
            }
        }
        return nil
    }
}
