import SystemPackage

extension LayerReader {
    /// Whether `entries` are the same tree as the layer in `blob`: names, kinds, attributes and contents; no times.
    ///
    /// Reading stops at the first difference.
    /// - Throws: ``LayerError`` when the blob is damaged or a content cannot be read.
    public static func hasSameContent(
        _ entries: [LayerEntry],
        asBlob blob: FileDescriptor
    ) throws(LayerError) -> Bool {
        let source = try BlobSource(blob, limits: LayerLimits(maxEntries: .max, maxBytes: .max))
        let reader = TarReader(source)
        var comparison = LayerComparison(entries)
        while let member = try reader.next() {
            guard try comparison.matches(LayerMember(member), contentFrom: reader) else { return false }
        }
        return comparison.isComplete
    }
}

/// Ticks entries off as a layer turns out to have them.
private struct LayerComparison {
    private let entries: [LayerEntry]
    private var isSeen: [Bool]
    private var pendingOpaque: Set<ContainerPath>

    init(_ entries: [LayerEntry]) {
        self.entries = entries.sorted { $0.entry.path < $1.entry.path }
        isSeen = Array(repeating: false, count: entries.count)
        pendingOpaque = Set(entries.filter { $0.entry.kind == .directory(opaque: true) }.map(\.entry.path))
    }

    /// Whether the layer had all there is to have.
    var isComplete: Bool { pendingOpaque.isEmpty && isSeen.allSatisfy { $0 } }

    mutating func matches(_ member: LayerMember, contentFrom reader: TarReader) throws(LayerError) -> Bool {
        switch member {
        case .ignored: return true
        case .opaque(let path): return pendingOpaque.remove(path) != nil
        case .whiteout(let path): return take(path)?.entry.kind == .whiteout
        case .entry(let other):
            guard let entry = take(other.path), Self.isSame(entry.entry, other) else { return false }
            guard case .file(let size) = other.kind else { return true }
            return try ContentComparison(entry, size: size).matches(reader)
        }
    }

    /// The entry at `path`, at its first mention only.
    private mutating func take(_ path: ContainerPath) -> LayerEntry? {
        let index = entries.partitionPoint { $0.entry.path < path }
        guard index < entries.count, entries[index].entry.path == path, !isSeen[index] else { return nil }
        isSeen[index] = true
        return entries[index]
    }

    private static func isSame(_ entry: TreeEntry, _ other: TreeEntry) -> Bool {
        var kind = entry.kind
        if case .directory = kind { kind = .directory(opaque: false) }
        return kind == other.kind && entry.mode == other.mode && entry.uid == other.uid && entry.gid == other.gid
            && (entry.attributes == other.attributes || isLink(kind))
    }

    /// A hard link's attributes are its file's.
    private static func isLink(_ kind: TreeEntry.Kind) -> Bool {
        if case .hardLink = kind { return true }
        return false
    }
}

/// Compares a file's content with that of an archive's member.
private struct ContentComparison {
    private let entry: LayerEntry
    private let size: Int64

    init(_ entry: LayerEntry, size: Int64) {
        self.entry = entry
        self.size = size
    }

    func matches(_ reader: TarReader) throws(LayerError) -> Bool {
        switch entry.content {
        case .none: return size == 0
        case .bytes(let bytes):
            guard bytes.count == size else { return false }
            return try matches(reader) { (buffer, offset) throws(LayerError) in
                let part = bytes[Int(offset)..<min(bytes.count, Int(offset) + buffer.count)]
                buffer.copyBytes(from: part)
                return part.count
            }
        case .file(let directory, let path, let version):
            let file = try LayerError.wrapping { () throws(FileError) in try directory.openFile(path) }
            let isSame = try matches(reader) { (buffer, offset) throws(LayerError) in
                try LayerError.wrapping { () throws(FileError) in try file.fill(buffer, at: offset) }
            }
            let status = try LayerError.wrapping { () throws(FileError) in try file.status() }
            guard version == nil || version == FileVersion(status) else {
                throw LayerError(.changedWhileRead(path: directory.display(path)))
            }
            return isSame
        }
    }

    private func matches(
        _ reader: TarReader,
        _ read: (UnsafeMutableRawBufferPointer, Int64) throws(LayerError) -> Int
    ) throws(LayerError) -> Bool {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: FileComparison.blockSize, alignment: 4096)
        defer { block.deallocate() }
        var isSame = true
        var position: Int64 = 0
        /// Compares what comes next with `expected`, or with zeros.
        func advance(to end: Int64, _ expected: UnsafeRawBufferPointer?) throws(LayerError) {
            let start = position
            while isSame && position < end {
                let space = UnsafeMutableRawBufferPointer(rebasing: block[..<min(block.count, Int(end - position))])
                let count = try read(space, position)
                let bytes = UnsafeRawBufferPointer(rebasing: space[..<count])
                guard count == space.count else {
                    isSame = false
                    return
                }
                if let expected {
                    let from = Int(position - start)
                    isSame = compareBytes(bytes, UnsafeRawBufferPointer(rebasing: expected[from..<(from + count)])) == 0
                } else {
                    isSame = bytes.isZero
                }
                position += Int64(count)
            }
        }
        try reader.content { (piece, offset) throws(LayerError) in
            try advance(to: offset, nil)
            try advance(to: offset + Int64(piece.count), piece)
        }
        try advance(to: size, nil)
        return isSame
    }
}
