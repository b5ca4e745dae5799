/// What an image holds: all names in byte order of their paths, and which of them are one file.
struct ErofsTree {
    /// A name, and the inode that it stands for.
    struct Node {
        /// What the inode is; a hard link shows the file's own kind.
        var entry: TreeEntry
        var content: ErofsContent?
        /// The node whose inode this name stands for: the first name of a file.
        var owner: Int
        /// How many names lead to the inode.
        var links: UInt32 = 1
        /// The directory that it is in; the root is in itself.
        var parent = 0
    }

    private(set) var nodes: [Node] = []
    /// The nodes in each directory, one directory after the other, in byte order of their names.
    private var children: [Int32] = []
    /// Where each node's children begin in ``children``; one more for the end.
    private var childrenStart: [Int32] = []

    /// Puts names together that a layer's record lists, with the directories that it only implies.
    init(
        _ names: [(entry: TreeEntry, file: Int)],
        _ files: ImagedFiles,
        implied: (ContainerPath) -> TreeEntry
    ) throws(LayerError) {
        let shared = Self.shared(names)
        var firstName: [Int: ContainerPath] = [:]
        var owners: [(path: ContainerPath, first: ContainerPath)] = []
        nodes.reserveCapacity(names.count + 1)
        for (original, file) in names {
            var entry = original
            if case .hardLink = entry.kind {
                guard let copied = files.borrowedEntry(of: file) else {
                    throw LayerError(.noImage(path: entry.path.description, why: "it is a hard link to nothing"))
                }
                entry = copied
                entry.path = original.path
            }
            nodes.append(Node(entry: entry, content: files.content(of: file), owner: 0))
            guard shared.contains(file) else { continue }
            if let first = firstName[file] { owners.append((entry.path, first)) } else { firstName[file] = entry.path }
        }
        addImplied(implied)
        let directories = try connect()
        try share(owners)
        count(directories)
    }

    /// The files that have several names: those that a hard link leads to, whatever became of its target.
    private static func shared(_ names: [(entry: TreeEntry, file: Int)]) -> Set<Int> {
        var seen: Set<Int> = []
        var shared: Set<Int> = []
        // Directories and marks take the number of what came last.
        for (entry, file) in names where !entry.isDirectory && entry.kind != .whiteout {
            if !seen.insert(file).inserted { shared.insert(file) }
        }
        return shared
    }

    private mutating func addImplied(_ implied: (ContainerPath) -> TreeEntry) {
        var known: Set<ContainerPath> = []
        for node in nodes where node.entry.isDirectory { known.insert(node.entry.path) }
        var missing: [Node] = []
        var last: ContainerPath?
        for node in nodes {
            guard let parent = node.entry.path.parent, parent != last else { continue }
            last = parent
            for ancestor in node.entry.path.ancestors where known.insert(ancestor).inserted {
                missing.append(Node(entry: Self.implied(ancestor, implied), content: nil, owner: 0))
            }
        }
        if known.insert(.root).inserted {
            missing.append(Node(entry: Self.implied(.root, implied), content: nil, owner: 0))
        }
        guard !missing.isEmpty else { return }
        nodes.append(contentsOf: missing)
        nodes.sort { $0.entry.path < $1.entry.path }
    }

    private static func implied(_ path: ContainerPath, _ entry: (ContainerPath) -> TreeEntry) -> TreeEntry {
        var result = entry(path)
        result.path = path
        return result
    }

    /// Finds each node's parent and each directory's children; answers how many directories each one has in it.
    private mutating func connect() throws(LayerError) -> [UInt32] {
        var directories: [ContainerPath: Int] = [:]
        for (number, node) in nodes.enumerated() where node.entry.isDirectory { directories[node.entry.path] = number }
        var inside = [UInt32](repeating: 0, count: nodes.count)
        childrenStart = [Int32](repeating: 0, count: nodes.count + 1)
        for number in nodes.indices {
            nodes[number].owner = number
            guard let path = nodes[number].entry.path.parent else { continue }
            guard let parent = directories[path] else {
                throw LayerError(.noImage(path: path.description, why: "it is no directory, and something is in it"))
            }
            nodes[number].parent = parent
            if nodes[number].entry.isDirectory { inside[parent] += 1 }
            childrenStart[parent + 1] += 1
        }
        for number in nodes.indices { childrenStart[number + 1] += childrenStart[number] }
        var next = childrenStart
        children = [Int32](repeating: 0, count: Int(childrenStart[nodes.count]))
        // Byte order of the paths is byte order of the names within each directory.
        for number in nodes.indices where !nodes[number].entry.path.isRoot {
            let parent = nodes[number].parent
            children[Int(next[parent])] = Int32(number)
            next[parent] += 1
        }
        return inside
    }

    private mutating func share(_ owners: [(path: ContainerPath, first: ContainerPath)]) throws(LayerError) {
        for (path, first) in owners {
            let number = nodes.partitionPoint { $0.entry.path < path }
            let owner = nodes.partitionPoint { $0.entry.path < first }
            nodes[number].owner = owner
            nodes[owner].links += 1
        }
    }

    private mutating func count(_ directories: [UInt32]) {
        for number in nodes.indices where nodes[number].entry.isDirectory {
            // Its name and `.`, and the `..` of each directory in it.
            nodes[number].links = 2 + directories[number]
        }
    }

    /// The numbers of the nodes in a directory.
    func children(of directory: Int) -> ArraySlice<Int32> {
        children[Int(childrenStart[directory])..<Int(childrenStart[directory + 1])]
    }
}
