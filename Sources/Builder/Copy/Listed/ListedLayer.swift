import LayerDiff

/// The layer of a COPY of one directory to where nothing is: its entries are made as they are written.
struct ListedLayer: LayerEntrySource {
    /// The destination, and the directories on the way there.
    private let above: [LayerEntry]
    private let items: ListedItems
    private let owner: (uid: UInt32, gid: UInt32)?
    private let mode: ModeChange?
    /// What the directories that hold something become.
    private let places: [ContainerPath]
    /// Of a file's further names, the number of the first one.
    private let firstNames: [Int: Int]

    init(
        _ items: ListedItems,
        below above: [LayerEntry],
        at destination: ContainerPath,
        owner: (uid: UInt32, gid: UInt32)?,
        mode: ModeChange?
    ) {
        self.above = above
        self.items = items
        self.owner = owner
        self.mode = mode
        places = items.places(below: destination)
        firstNames = Self.firstNames(items.files)
    }

    private static func firstNames(_ files: ListedFiles) -> [Int: Int] {
        var first: [SourceNode.Identity: Int] = [:]
        var result: [Int: Int] = [:]
        for number in 0..<files.count {
            guard let identity = files.record(number).identity else { continue }
            if let known = first[identity] { result[number] = known } else { first[identity] = number }
        }
        return result
    }

    var count: Int { above.count + items.files.count }

    func entry(_ number: Int) -> LayerEntry {
        guard number >= above.count else { return above[number] }
        let number = number - above.count
        let record = items.files.record(number)
        let entry = TreeEntry(
            path: place(of: number),
            kind: kind(number, record),
            mode: mode(of: record, number),
            uid: owner?.uid ?? 0,
            gid: owner?.gid ?? 0,
            modified: record.modified
        )
        guard fileSize(ofListed: number, record) ?? 0 > 0 else { return LayerEntry(entry: entry, content: .none) }
        return LayerEntry(entry: entry, content: items.tree.content(items.files.path(number), record.key))
    }

    func fileSize(_ number: Int) -> Int64? {
        guard number >= above.count else { return nil }
        let number = number - above.count
        guard let size = fileSize(ofListed: number, items.files.record(number)), size > 0 else { return nil }
        return size
    }

    private func fileSize(ofListed number: Int, _ record: ListedRecord) -> Int64? {
        firstNames.isEmpty || firstNames[number] == nil ? record.fileSize : nil
    }

    private func place(of number: Int) -> ContainerPath {
        let directory = places[items.files.listing(of: number)]
        return items.files.withName(number) { directory.child($0) }
    }

    private func kind(_ number: Int, _ record: ListedRecord) -> TreeEntry.Kind {
        if !firstNames.isEmpty, let first = firstNames[number] { return .hardLink(target: place(of: first)) }
        return items.files.kind(number, record)
    }

    private func mode(of record: ListedRecord, _ number: Int) -> UInt16 {
        guard let mode else { return record.mode }
        if case .symlink = items.files.kind(number, record) { return record.mode }
        return mode.applied(to: record.mode, isDirectory: record.isDirectory)
    }
}
