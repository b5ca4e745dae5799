import LayerDiff
import OCI

/// Hashes the items of a selection, one after the other.
struct SelectionHasher {
    private static let keptFiles = 10_000
    /// So many files are looked up, and read where they are not known, before they are hashed.
    private static let block = 2048

    private(set) var fields: FieldHasher
    /// The files, as far as they are kept for the explanation of a later miss.
    private(set) var files: [SelectionDigest.KeptFile] = []
    private let modesMatter: Bool
    private let ownersMatter: Bool
    private var seen: [SourceNode.Identity: Int] = [:]

    init(fields: FieldHasher, modesMatter: Bool, ownersMatter: Bool) {
        self.fields = fields
        self.modesMatter = modesMatter
        self.ownersMatter = ownersMatter
    }

    /// Adds the beginning of a group.
    mutating func begin(_ group: Selection.Group) {
        fields.add("\(group.form)")
        fields.add(group.items.count)
    }

    /// Adds an item; `content` is asked for the digest of a regular file.
    mutating func add(_ item: Selection.Item, content: () throws -> Digest) throws {
        let entry = item.node.entry
        fields.add(item.relative.bytes)
        addAttributes(mode: entry.mode, uid: entry.uid, gid: entry.gid)
        fields.add(entry.attributes.count)
        for attribute in entry.attributes {
            fields.add(attribute.name)
            fields.add(attribute.value)
        }
        guard isFirst(item.node.identity) else { return }
        fields.add(kind: entry.kind)
        guard case .file = entry.kind else { return }
        let digest = try content()
        fields.add(digest)
        keep(entry.path, entry.mode, digest)
    }

    /// Adds a directory and all that is below it; what was `read` meanwhile is known.
    mutating func add(_ items: ListedItems, read: [ContainerPath: Digest]) throws {
        try add(items[0]) { Digest(of: []) }
        // Where a directory is relative to the destination, with a slash behind it.
        let directories = items.places(below: items.prefix).map { $0.isRoot ? [] : $0.bytes + [UInt8(ascii: "/")] }
        var start = 0
        while start < items.files.count {
            let block = start..<min(start + Self.block, items.files.count)
            let digests = try items.digests(of: block, read: read)
            for number in block {
                add(number, of: items.files, directories, digests[number - start])
            }
            start = block.upperBound
        }
    }

    /// Adds the same as for an item, and makes none.
    private mutating func add(_ number: Int, of files: ListedFiles, _ directories: [[UInt8]], _ digest: Digest?) {
        let record = files.record(number)
        files.withName(number) { fields.add(path: directories[files.listing(of: number)][...], $0) }
        addAttributes(mode: record.mode, uid: 0, gid: 0)
        fields.add(0)
        guard isFirst(record.identity) else { return }
        fields.add(kind: files.kind(number, record))
        // None but regular files have one.
        guard let digest else { return }
        fields.add(digest)
        if self.files.count < Self.keptFiles { keep(files.path(number), record.mode, digest) }
    }

    private mutating func addAttributes(mode: UInt16, uid: UInt32, gid: UInt32) {
        if modesMatter { fields.add(Int(mode)) }
        if ownersMatter {
            fields.add(Int(uid))
            fields.add(Int(gid))
        }
    }

    /// Whether this is a file's first name; of a further one, which file it is counts and nothing else.
    private mutating func isFirst(_ identity: SourceNode.Identity?) -> Bool {
        guard let identity else { return true }
        if let first = seen[identity] {
            fields.add("link")
            fields.add(first)
            return false
        }
        seen[identity] = seen.count
        return true
    }

    private mutating func keep(_ path: ContainerPath, _ mode: UInt16, _ digest: Digest) {
        guard files.count < Self.keptFiles else { return }
        files.append(SelectionDigest.KeptFile(path: path, mode: mode, digest: digest))
    }
}

extension ListedItems {
    /// The digests of those that are regular files; others have none.
    ///
    /// Files that are not known are read, on two threads where there are many.
    fileprivate func digests(of block: Range<Int>, read: [ContainerPath: Digest]) throws -> [Digest?] {
        var unknown: [Int] = []
        var digests: [Digest?] = block.map { number in
            let record = files.record(number)
            guard record.fileSize != nil else { return nil }
            if let digest = tree.knownDigest(record.key) { return digest }
            if !read.isEmpty, let digest = read[files.path(number)] { return digest }
            unknown.append(number)
            return nil
        }
        let numbers = unknown
        let found = try inParallel(numbers.count, threads: numbers.count < 16 ? 1 : 2) { index in
            try tree.digest(files.node(numbers[index]))
        }
        for (number, digest) in zip(numbers, found) { digests[number - block.lowerBound] = digest }
        return digests
    }
}
