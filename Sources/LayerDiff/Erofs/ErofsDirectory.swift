/// The entries of a directory, cut into blocks: in each block first the entries, then their names.
struct ErofsDirectory {
    struct Entry {
        var name: ArraySlice<UInt8>
        var node: Int
    }

    /// The entries in byte order of their names, in which the kernel seeks; `.` and `..` among them.
    let entries: [Entry]
    /// The end of each block's entries.
    private(set) var blockEnds: [Int] = []
    /// How many bytes of its last block are used.
    private(set) var lastSize = 0

    /// Lists a directory of a tree.
    init(_ number: Int, of tree: ErofsTree) throws(LayerError) {
        let dots = [
            Entry(name: [UInt8(ascii: ".")], node: number),
            Entry(name: [UInt8(ascii: "."), UInt8(ascii: ".")], node: tree.nodes[number].parent),
        ]
        let children = tree.children(of: number)
        var entries: [Entry] = []
        entries.reserveCapacity(children.count + 2)
        var pending = dots[...]
        for child in children {
            let name = tree.nodes[Int(child)].entry.path.name
            guard name.count <= Erofs.longestName else {
                let path = tree.nodes[Int(child)].entry.path.description
                throw LayerError(.noImage(path: path, why: "its name is longer than a name can be"))
            }
            while let dot = pending.first, dot.name.lexicographicallyPrecedes(name) {
                entries.append(dot)
                pending.removeFirst()
            }
            entries.append(Entry(name: name, node: Int(child)))
        }
        entries.append(contentsOf: pending)
        self.entries = entries
        cut()
    }

    /// How long the directory is.
    var size: Int { (blockEnds.count - 1) * Erofs.blockSize + lastSize }

    private mutating func cut() {
        for (position, entry) in entries.enumerated() {
            let size = Erofs.directoryEntrySize + entry.name.count
            if lastSize + size > Erofs.blockSize {
                blockEnds.append(position)
                lastSize = 0
            }
            lastSize += size
        }
        blockEnds.append(entries.count)
    }

    /// A block's bytes, without what is over at its end.
    func block(_ number: Int, _ describe: (Int) -> (slot: UInt64, type: Erofs.FileType)) -> [UInt8] {
        let range = (number == 0 ? 0 : blockEnds[number - 1])..<blockEnds[number]
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Erofs.blockSize)
        var nameOffset = range.count * Erofs.directoryEntrySize
        for entry in entries[range] {
            let (slot, type) = describe(entry.node)
            bytes.append(little: slot)
            bytes.append(little: UInt16(nameOffset))
            bytes.append(type.rawValue)
            bytes.append(0)
            nameOffset += entry.name.count
        }
        for entry in entries[range] { bytes.append(contentsOf: entry.name) }
        return bytes
    }
}
