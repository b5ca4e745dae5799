extension LayerStack {
    /// A directory of the merged view and the layers that still show through in it, the highest first.
    struct View {
        let path: ContainerPath
        let layers: [Int]
    }

    /// What one layer says of a path.
    private enum Word {
        case nothing
        case entry(TreeEntry)
        /// Not listed itself, but something beneath it is.
        case impliedDirectory
    }

    private func word(of layer: Int, on path: ContainerPath) -> Word {
        let index = layers[layer].index
        if let entry = index.entry(at: path) { return .entry(entry) }
        return index.hasDescendants(of: path) ? .impliedDirectory : .nothing
    }

    /// The view of the root directory.
    var rootView: View { View(path: .root, layers: Array(layers.indices.reversed())) }

    /// The root directory: as the highest layer that lists it has it.
    var rootFound: Found {
        for layer in layers.indices.reversed() {
            if let entry = layers[layer].index.entry(at: .root) {
                return Found(entry: entry, layer: layer, contentPath: .root)
            }
        }
        return Found(entry: .impliedDirectory(.root), layer: 0, contentPath: .root)
    }

    /// The view of the directory at `path`, `nil` if there is no such directory.
    func view(of path: ContainerPath) -> View? {
        var view = rootView
        var bytes: [UInt8] = []
        for component in path.components {
            if !bytes.isEmpty { bytes.append(UInt8(ascii: "/")) }
            bytes.append(contentsOf: component)
            guard let inner = self.view(of: ContainerPath(clean: bytes), in: view) else { return nil }
            view = inner
        }
        return view
    }

    /// The view of the directory at `path`, which is directly in `parent`; `nil` if it is no directory.
    func view(of path: ContainerPath, in parent: View) -> View? {
        var showing: [Int] = []
        scan: for layer in parent.layers {
            switch word(of: layer, on: path) {
            case .nothing: continue
            case .impliedDirectory: showing.append(layer)
            case .entry(let entry):
                guard entry.isDirectory else { break scan }
                showing.append(layer)
                if entry.hidesBelow { break scan }
            }
        }
        return showing.isEmpty ? nil : View(path: path, layers: showing)
    }

    /// What `path`, directly in `parent`, stands for.
    func child(_ path: ContainerPath, in parent: View) -> Found? {
        var implied: Int?
        for layer in parent.layers {
            switch word(of: layer, on: path) {
            case .nothing: continue
            case .impliedDirectory: implied = implied ?? layer
            case .entry(let entry):
                if let implied, !entry.isDirectory { return impliedFound(path, implied) }
                // A directory that a higher layer implies has the attributes of the one that it lies over.
                return found(entry, layer: layer)
            }
        }
        return implied.map { impliedFound(path, $0) }
    }

    private func impliedFound(_ path: ContainerPath, _ layer: Int) -> Found {
        Found(entry: .impliedDirectory(path), layer: layer, contentPath: path)
    }

    /// What the directory of `view` holds, in byte order of the names.
    func children(in view: View) -> [Found] {
        var paths: [ContainerPath] = []
        for layer in view.layers {
            layers[layer].index.forEachChild(of: view.path) { path, _ in paths.append(path) }
        }
        paths.sort()
        var children: [Found] = []
        var previous: ContainerPath?
        for path in paths where path != previous {
            previous = path
            if let found = child(path, in: view) { children.append(found) }
        }
        return children
    }

    /// Whether the directory of `view` holds anything.
    func hasChildren(in view: View) -> Bool {
        !children(in: view).isEmpty
    }

    private func found(_ entry: TreeEntry, layer: Int) -> Found? {
        switch entry.kind {
        case .whiteout: return nil
        case .hardLink(let target):
            guard let file = file(target, from: layer, hops: 0) else { return nil }
            var shown = file
            shown.path = entry.path
            return Found(entry: shown, layer: layer, contentPath: entry.path)
        case .file, .directory, .symlink, .characterDevice, .blockDevice, .fifo:
            return Found(entry: entry, layer: layer, contentPath: entry.path)
        }
    }

    /// The file that a hard link of `layer` to `target` is: in the same layer, or else in those below it.
    private func file(_ target: ContainerPath, from layer: Int, hops: Int) -> TreeEntry? {
        guard let entry = layers[layer].index.entry(at: target) else {
            guard layer > 0 else { return nil }
            return LayerStack(Array(layers[..<layer])).lookup(target)?.entry
        }
        guard case .hardLink(let next) = entry.kind else { return entry }
        return hops < Self.symlinkLimit ? file(next, from: layer, hops: hops + 1) : nil
    }
}
