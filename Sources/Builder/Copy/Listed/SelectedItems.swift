import LayerDiff
import OCI

/// The items of a selection's group: a list, or for a directory of a context what makes them when they are asked for.
struct SelectedItems: RandomAccessCollection, ExpressibleByArrayLiteral {
    enum Storage {
        case list([Selection.Item])
        case listed(ListedItems)
    }

    let storage: Storage

    init(_ items: [Selection.Item]) { storage = .list(items) }

    init(_ items: ListedItems) { storage = .listed(items) }

    init(arrayLiteral items: Selection.Item...) { self.init(items) }

    var startIndex: Int { 0 }

    var endIndex: Int {
        switch storage {
        case .list(let items): items.count
        case .listed(let items): items.count
        }
    }

    /// The items as a walk meets them, which goes into each directory before it goes on to the next name.
    ///
    /// It matters where links at the destination bring two directories together: of two files of one name, the later.
    var inWalkOrder: SelectedItems {
        guard case .listed(let items) = storage else { return self }
        let list = (0..<items.count).map { items[$0] }
        let isInOrder = zip(list, list.dropFirst()).allSatisfy { Self.precedes($0.relative, $1.relative) }
        return SelectedItems(isInOrder ? list : list.sorted { Self.precedes($0.relative, $1.relative) })
    }

    /// By the names on the way: a slash comes before any other byte.
    private static func precedes(_ left: ContainerPath, _ right: ContainerPath) -> Bool {
        let slash = UInt8(ascii: "/")
        return left.bytes.lexicographicallyPrecedes(right.bytes) { left, right in
            (left == slash ? 0 : left) < (right == slash ? 0 : right)
        }
    }

    subscript(number: Int) -> Selection.Item {
        switch storage {
        case .list(let items): items[number]
        case .listed(let items): items[number]
        }
    }
}

/// A directory of a context and all that is below it.
struct ListedItems: Sendable {
    let tree: ContextTree
    /// The number of the tree in the selection.
    let treeNumber: Int
    /// The directory, named by itself.
    let top: SourceNode
    /// What is below it.
    let files: ListedFiles
    /// The directory's place relative to the destination.
    let prefix: ContainerPath

    /// The top and what is below it.
    var count: Int { files.count + 1 }

    subscript(number: Int) -> Selection.Item {
        let node = number == 0 ? top : files.node(number - 1)
        let relative = prefix.appending(node.entry.path.dropping(top.entry.path))
        return Selection.Item(relative: relative, node: node, tree: treeNumber)
    }

    /// The places of the directories that hold something, below another directory than the one that they are in.
    func places(below destination: ContainerPath) -> [ContainerPath] {
        files.directories.map { destination.appending($0.dropping(top.entry.path)) }
    }

    /// How many bytes of the files nobody has the digest of; counts no further than `enough`.
    func unknownBytes(_ enough: Int64) -> Int64 {
        var sum: Int64 = 0
        for number in 0..<files.count where sum < enough {
            let record = files.record(number)
            // Up to here it is less than enough, and a size may be anything.
            if let size = record.fileSize, size > 0, tree.knownDigest(record.key) == nil { sum += min(size, enough) }
        }
        return sum
    }
}
