import Glibc

/// Puts a layer's entries into an EROFS image in overlay form: what ``LayerUnpacker`` is for directories.
///
/// Contents are written as they come, everything else when all is known.
final class LayerImager: LayerPlacer {
    private let options: ApplyOptions
    private let output: BlockOutput
    private var record: LayerRecord
    private var files = ImagedFiles()

    /// The image goes to `file`, which is empty.
    init(_ file: OwnedDescriptor, options: ApplyOptions) throws(LayerError) {
        guard case .overlay(OverlayForm.trusted.attributePrefix) = options.form, options.devices == .made,
            !options.marksOwners
        else {
            throw LayerError(.noImage(path: "a layer", why: "images are for the overlays of root alone"))
        }
        self.options = options
        output = BlockOutput(file)
        record = LayerRecord(limits: options.limits, lower: options.lower)
        // Room for the superblock.
        try LayerError.wrapping { () throws(FileError) in try output.appendZeros(Erofs.blockSize) }
    }

    /// Places an entry; a file's content is read from `reader`.
    func place(_ original: TreeEntry, contentFrom reader: TarReader) throws(LayerError) {
        let entry = try record.add(original)
        switch entry.kind {
        case .file(let size):
            guard size > 0 else { return }
            var content = try ErofsContentWriter(output)
            try reader.content { (piece, offset) throws(LayerError) in
                try LayerError.wrapping { () throws(FileError) in try content.write(piece, at: offset) }
            }
            try finish(&content, size)
        case .hardLink(let target):
            if !record.containsLinkable(target) { try copy(target, for: entry.path) }
        case .directory, .symlink, .characterDevice, .blockDevice, .fifo, .whiteout: break
        }
    }

    /// Places a whiteout.
    func whiteout(_ path: ContainerPath) throws(LayerError) {
        _ = try record.whiteout(path)
    }

    /// Marks a directory opaque.
    func opaque(_ path: ContainerPath) throws(LayerError) {
        try record.opaque(path)
    }

    /// Writes what could not be written before all was known: what the layer says in all.
    func finish() throws(LayerError) -> LayerIndex {
        let (index, names) = record.named()
        let tree = try ErofsTree(names, files, implied: record.impliedDirectory)
        record = LayerRecord(limits: options.limits)
        var writer = try ErofsTreeWriter(tree, output)
        try writer.write()
        return index
    }

    /// A hard link to a file of the layers below is a copy of it.
    private func copy(_ target: ContainerPath, for path: ContainerPath) throws(LayerError) {
        guard let lower = options.lower(), let found = lower.lookup(target), !found.entry.isDirectory else {
            let why = "it is a hard link to \(target), which does not exist"
            throw LayerError(.hostileEntry(name: path.description, why: why))
        }
        files.borrow(found.entry, as: record.lastFile)
        guard case .file(let size) = found.entry.kind, size > 0 else { return }
        let source = try lower.open(found)
        var content = try ErofsContentWriter(output)
        try LayerError.wrapping { () throws(FileError) in
            let block = UnsafeMutableRawBufferPointer.allocate(byteCount: FileComparison.blockSize, alignment: 4096)
            defer { block.deallocate() }
            var offset: Int64 = 0
            while offset < size {
                let count = min(try source.fill(block, at: offset), Int(min(size - offset, Int64(block.count))))
                if count == 0 { break }
                try content.write(UnsafeRawBufferPointer(rebasing: block[..<count]), at: offset)
                offset += Int64(count)
            }
        }
        try finish(&content, size)
    }

    private func finish(_ content: inout ErofsContentWriter, _ size: Int64) throws(LayerError) {
        do throws(FileError) {
            files.add(try content.finish(size), as: record.lastFile)
        } catch {
            throw LayerError(.file(error))
        }
    }
}

/// What is known of the files of an image besides their entries.
struct ImagedFiles {
    /// In the order of the files' numbers.
    private var contents: [(file: Int, content: ErofsContent)] = []
    private var borrowed: [Int: TreeEntry] = [:]

    mutating func add(_ content: ErofsContent, as file: Int) {
        contents.append((file, content))
    }

    /// Notes that a file is a copy of one below.
    mutating func borrow(_ entry: TreeEntry, as file: Int) {
        borrowed[file] = entry
    }

    /// Where a file's content is; empty files have none.
    func content(of file: Int) -> ErofsContent? {
        let position = contents.partitionPoint { $0.file < file }
        guard position < contents.count, contents[position].file == file else { return nil }
        return contents[position].content
    }

    /// What a file looks like that is a copy of one below.
    func borrowedEntry(of file: Int) -> TreeEntry? { borrowed[file] }
}
