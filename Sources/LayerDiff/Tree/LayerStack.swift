import Synchronization

/// The merged view of layers, the lowest first: what a root file system made of them shows.
public struct LayerStack: Sendable {
    /// How many symlinks are followed on the way to one path; the kernel's own limit.
    static let symlinkLimit = 40

    /// One layer of a stack.
    public struct Layer: Sendable {
        /// What the layer says of its paths.
        public let index: LayerIndex
        /// Gives the layer's unpacked directory, in overlay form; called only when a content is needed.
        public let directory: @Sendable () throws -> Directory

        /// Pairs an index with where the contents are.
        public init(index: LayerIndex, directory: @escaping @Sendable () throws -> Directory) {
            self.index = index
            self.directory = directory
        }
    }

    /// What a path of the merged view stands for, and where it comes from.
    public struct Found: Sendable, Hashable {
        /// The entry under the path that was asked for; a hard link shows the attributes of its file.
        public let entry: TreeEntry
        /// The number of the layer that it comes from.
        public let layer: Int
        /// Where in that layer's directory the content is.
        public let contentPath: ContainerPath
    }

    /// The layers, the lowest first.
    public let layers: [Layer]
    private let opened: OpenedDirectories

    /// Stacks `layers`, the lowest first.
    public init(_ layers: [Layer]) {
        self.layers = layers
        opened = OpenedDirectories(count: layers.count)
    }

    /// What `path` stands for; no symlink is followed.
    public func lookup(_ path: ContainerPath) -> Found? {
        guard let parent = path.parent else { return rootFound }
        return view(of: parent).flatMap { child(path, in: $0) }
    }

    /// What the directory at `path` holds, in byte order; nothing if it is no directory.
    public func children(of path: ContainerPath) -> [Found] {
        view(of: path).map(children(in:)) ?? []
    }

    /// Calls `body` for `start` and all that is beneath it: a directory before what it holds, and what it holds in
    /// byte order of the names.
    public func walk(_ start: ContainerPath, _ body: (Found) throws -> Void) rethrows {
        guard let found = lookup(start) else { return }
        try body(found)
        guard found.entry.isDirectory, let view = view(of: start) else { return }
        try walk(in: view, body)
    }

    private func walk(in view: View, _ body: (Found) throws -> Void) rethrows {
        for found in children(in: view) {
            try body(found)
            if found.entry.isDirectory, let inner = self.view(of: found.entry.path, in: view) {
                try walk(in: inner, body)
            }
        }
    }

    /// Opens the content of a file.
    /// - Throws: ``LayerError`` when the layer's directory cannot be had or the file not be opened.
    public func open(_ found: Found) throws(LayerError) -> OwnedDescriptor {
        let directory = try directory(ofLayer: found.layer)
        return try LayerError.wrapping { () throws(FileError) in try directory.openFile(found.contentPath) }
    }

    /// The unpacked directory of a layer; asked for once and kept.
    ///
    /// - Throws: ``LayerError`` when it cannot be had.
    public func directory(ofLayer layer: Int) throws(LayerError) -> Directory {
        do {
            return try opened.directory(layer, layers[layer].directory)
        } catch let error as LayerError {
            throw error
        } catch {
            throw LayerError(.noDirectory(layer: layer, why: "\(error)"))
        }
    }
}

/// The directories that were asked for so far.
private final class OpenedDirectories: Sendable {
    private let directories: Mutex<[Directory?]>

    init(count: Int) {
        directories = Mutex(Array(repeating: nil, count: count))
    }

    func directory(_ layer: Int, _ open: () throws -> Directory) throws -> Directory {
        if let known = directories.withLock({ $0[layer] }) { return known }
        // Not under the lock: unpacking may take long, and the other layers are wanted meanwhile.
        let directory = try open()
        directories.withLock { $0[layer] = directory }
        return directory
    }
}
