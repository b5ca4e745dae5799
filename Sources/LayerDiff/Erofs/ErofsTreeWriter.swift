/// Writes an image's directories, symlinks and inodes behind its contents, and the superblock before them.
struct ErofsTreeWriter {
    /// Where an inode and its data are.
    private struct Place {
        var slot: UInt32 = 0
        var layout: Erofs.DataLayout = .plain
        /// Where the data that is in blocks begins.
        var block: UInt32 = 0
    }

    private let tree: ErofsTree
    private let output: BlockOutput
    private var places: [Place]
    /// The first block that is behind the contents, and the one that is behind directories and symlinks.
    private let firstBlock: Int64
    private var metadataBlock: Int64
    private var metadataSize = Erofs.firstSlot * Erofs.slotSize
    private var inodeCount: UInt64 = 0

    /// Finds a place for everything.
    init(_ tree: ErofsTree, _ output: BlockOutput) throws(LayerError) {
        self.tree = tree
        self.output = output
        places = Array(repeating: Place(), count: tree.nodes.count)
        try LayerError.wrapping { () throws(FileError) in try output.fillBlock() }
        firstBlock = output.position / Int64(Erofs.blockSize)
        metadataBlock = firstBlock
        for (number, node) in tree.nodes.enumerated() where node.owner == number { try place(number) }
        let end = metadataBlock + Erofs.blocks(Int64(metadataSize))
        guard UInt32(exactly: end) != nil, places[0].slot < Erofs.rootSlotLimit else {
            throw LayerError(.noImage(path: "a layer", why: "an image has at most 2^32 blocks"))
        }
    }

    mutating func write() throws(LayerError) {
        for (number, node) in tree.nodes.enumerated() where node.owner == number { try writeBlocks(number) }
        var written = 0
        for (number, node) in tree.nodes.enumerated() where node.owner == number {
            let bytes = try inode(number)
            let start = Int(places[number].slot) * Erofs.slotSize
            try LayerError.wrapping { () throws(FileError) in
                try output.appendZeros(start - written)
                try output.append(bytes)
            }
            written = start + bytes.count
        }
        try LayerError.wrapping { () throws(FileError) in
            try output.fillBlock()
            try output.flush()
            try superblock().withBytes { (bytes) throws(FileError) in
                try output.write(bytes, at: Int64(Erofs.superblockOffset))
            }
        }
    }

    // MARK: places

    private mutating func place(_ number: Int) throws(LayerError) {
        let node = tree.nodes[number]
        let attributes = Self.attributes(of: node.entry)
        try ErofsAttributes.check(attributes, of: node.entry)
        let head = Erofs.inodeSize + ErofsAttributes.size(attributes)
        switch node.entry.kind {
        case .file(let size):
            guard let content = node.content else {
                guard size == 0 else {
                    throw LayerError(.noImage(path: node.entry.path.description, why: "its content is missing"))
                }
                return take(head, number)
            }
            places[number].block = content.firstBlock
            guard content.runs != nil else { return take(head, number) }
            places[number].layout = .chunked
            take(head + 4 * ErofsContent.chunkCount(size), number)
        case .directory:
            let directory = try ErofsDirectory(number, of: tree)
            place(number, head, blocks: directory.blockEnds.count - 1, rest: directory.lastSize)
        case .symlink(let target): place(number, head, blocks: 0, rest: target.count)
        case .characterDevice, .blockDevice, .fifo, .whiteout, .hardLink: take(head, number)
        }
    }

    /// Places data of whole blocks and a rest, which goes behind the inode where a block has room for both.
    private mutating func place(_ number: Int, _ head: Int, blocks: Int, rest: Int) {
        let isInline = head + rest <= Erofs.blockSize
        let count = blocks + (isInline ? 0 : 1)
        if count > 0 { places[number].block = UInt32(truncatingIfNeeded: metadataBlock) }
        metadataBlock += Int64(count)
        guard isInline else { return take(head, number) }
        places[number].layout = .inline
        // An inode with such a rest lies within one block.
        if metadataSize % Erofs.blockSize + head + rest > Erofs.blockSize {
            metadataSize = (metadataSize + Erofs.blockSize - 1) / Erofs.blockSize * Erofs.blockSize
        }
        take(head + rest, number)
    }

    private mutating func take(_ size: Int, _ number: Int) {
        places[number].slot = UInt32(truncatingIfNeeded: metadataSize / Erofs.slotSize)
        metadataSize = (metadataSize + size + Erofs.slotSize - 1) / Erofs.slotSize * Erofs.slotSize
        inodeCount += 1
    }

    // MARK: data

    private func writeBlocks(_ number: Int) throws(LayerError) {
        switch tree.nodes[number].entry.kind {
        case .directory:
            let directory = try ErofsDirectory(number, of: tree)
            let count = directory.blockEnds.count - (places[number].layout == .inline ? 1 : 0)
            for block in 0..<count { try append(directory.block(block, describe)) }
        case .symlink(let target):
            if places[number].layout == .plain { try append(target) }
        case .file, .characterDevice, .blockDevice, .fifo, .whiteout, .hardLink: return
        }
    }

    private func append(_ block: [UInt8]) throws(LayerError) {
        try LayerError.wrapping { () throws(FileError) in
            try output.append(block)
            try output.fillBlock()
        }
    }

    private func describe(_ number: Int) -> (slot: UInt64, type: Erofs.FileType) {
        let owner = tree.nodes[number].owner
        let type: Erofs.FileType =
            switch tree.nodes[owner].entry.kind {
            case .file, .hardLink: .file
            case .directory: .directory
            case .symlink: .symlink
            case .characterDevice, .whiteout: .characterDevice
            case .blockDevice: .blockDevice
            case .fifo: .fifo
            }
        return (UInt64(places[owner].slot), type)
    }

    // MARK: inodes

    private static func attributes(of entry: TreeEntry) -> [ExtendedAttribute] {
        guard case .directory(opaque: true) = entry.kind else { return entry.attributes }
        return entry.attributes + [ExtendedAttribute(OverlayForm.trusted.attributePrefix + "opaque", "y")]
    }

    private func inode(_ number: Int) throws(LayerError) -> [UInt8] {
        let node = tree.nodes[number]
        let attributes = ErofsAttributes.encoded(Self.attributes(of: node.entry))
        let facts = try facts(number)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Erofs.inodeSize + attributes.count + facts.tail.count)
        bytes.append(little: places[number].layout.format)
        bytes.append(little: ErofsAttributes.count(size: attributes.count))
        bytes.append(little: facts.mode)
        bytes.append(little: UInt16(0))
        bytes.append(little: facts.size)
        bytes.append(little: facts.data)
        bytes.append(little: UInt32(truncatingIfNeeded: number + 1))
        bytes.append(little: node.entry.uid)
        bytes.append(little: node.entry.gid)
        bytes.append(little: node.entry.modified)
        bytes.append(little: UInt32(0))
        bytes.append(little: node.links)
        bytes.fill(to: Erofs.inodeSize)
        bytes.append(contentsOf: attributes)
        bytes.append(contentsOf: facts.tail)
        return bytes
    }

    /// What depends on an inode's kind.
    private struct Facts {
        var mode: UInt16
        var size: Int64 = 0
        /// Where the data begins, a device's number, or how long the chunks are.
        var data: UInt32 = 0
        /// What is behind the attributes.
        var tail: [UInt8] = []
    }

    private func facts(_ number: Int) throws(LayerError) -> Facts {
        let (node, place) = (tree.nodes[number], places[number])
        let mode = node.entry.mode & 0o7777
        switch node.entry.kind {
        case .file(let size):
            guard let content = node.content, content.runs != nil else {
                return Facts(mode: 0o100000 | mode, size: size, data: place.block)
            }
            let map = content.chunkMap(size)
            return Facts(mode: 0o100000 | mode, size: size, data: Erofs.chunkFormat, tail: map)
        case .directory:
            let directory = try ErofsDirectory(number, of: tree)
            let last = directory.blockEnds.count - 1
            let tail = place.layout == .inline ? directory.block(last, describe) : []
            return Facts(mode: 0o040000 | mode, size: Int64(directory.size), data: place.block, tail: tail)
        case .symlink(let target):
            let tail = place.layout == .inline ? target : []
            return Facts(mode: 0o120777, size: Int64(target.count), data: place.block, tail: tail)
        case .characterDevice(let major, let minor):
            return Facts(mode: 0o020000 | mode, data: Erofs.device(major: major, minor: minor))
        case .blockDevice(let major, let minor):
            return Facts(mode: 0o060000 | mode, data: Erofs.device(major: major, minor: minor))
        case .fifo: return Facts(mode: 0o010000 | mode)
        // Character device 0:0 (Documentation/filesystems/overlayfs.rst).
        case .whiteout: return Facts(mode: 0o020000)
        case .hardLink: return Facts(mode: 0o100000 | mode)
        }
    }

    private func superblock() -> [UInt8] {
        let end = metadataBlock + Erofs.blocks(Int64(metadataSize))
        var bytes: [UInt8] = []
        bytes.append(little: Erofs.magic)
        bytes.append(little: UInt32(0))
        bytes.append(little: Erofs.compatibleMtime)
        bytes.append(UInt8(Erofs.blockSize.trailingZeroBitCount))
        bytes.append(0)
        bytes.append(little: UInt16(places[0].slot))
        bytes.append(little: inodeCount)
        // The time that compact inodes have, of which there are none.
        bytes.append(little: UInt64(0))
        bytes.append(little: UInt32(0))
        bytes.append(little: UInt32(truncatingIfNeeded: end))
        bytes.append(little: UInt32(truncatingIfNeeded: metadataBlock))
        // No attributes are shared; no id, no name.
        bytes.fill(to: 80)
        bytes.append(little: Erofs.incompatibleChunkedFile)
        bytes.fill(to: Erofs.superblockSize)
        return bytes
    }
}
