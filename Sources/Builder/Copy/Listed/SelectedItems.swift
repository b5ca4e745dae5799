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
            if let size = record.fileSize, size > 0, tree.knownDigest(record.key) == nil { sum += size }
        }
        return sum
    }
}
