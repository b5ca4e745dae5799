extension LayerStack {
    /// Where `path` leads when symlinks are followed, none of them out of the root.
    ///
    /// What does not exist is appended as it is. With `followLast`, a symlink that `path` itself stands for is
    /// followed too.
    /// - Throws: ``LayerError`` for more than 40 symlinks.
    public func resolve(_ path: ContainerPath, followLast: Bool) throws(LayerError) -> ContainerPath {
        var pending = Array(path.components.reversed())
        var views = [rootView]
        var resolved: [ContainerPath] = [.root]
        var links = 0
        while let component = pending.popLast() {
            if component.elementsEqual("..".utf8) {
                if resolved.count > 1 {
                    resolved.removeLast()
                    views.removeLast()
                }
                continue
            }
            guard let directory = resolved.last, let view = views.last else { break }
            let next = ContainerPath(parent: directory, name: component)
            guard let found = child(next, in: view) else { return next.appendingAll(pending.reversed()) }
            if case .symlink(let target) = found.entry.kind, followLast || !pending.isEmpty {
                links += 1
                guard links <= Self.symlinkLimit else { throw LayerError(.symlinkLoop(path: path.description)) }
                if target.first == UInt8(ascii: "/") {
                    resolved.removeSubrange(1...)
                    views.removeSubrange(1...)
                }
                pending.append(contentsOf: Self.names(in: target).reversed())
                continue
            }
            guard let inner = self.view(of: next, in: view) else { return next.appendingAll(pending.reversed()) }
            resolved.append(next)
            views.append(inner)
        }
        return resolved.last ?? .root
    }

    private static func names(in target: [UInt8]) -> [ArraySlice<UInt8>] {
        target.split(separator: UInt8(ascii: "/")).filter { !$0.elementsEqual(".".utf8) }
    }
}

extension ContainerPath {
    /// This path with `names` behind it.
    fileprivate func appendingAll(_ names: some Sequence<ArraySlice<UInt8>>) -> ContainerPath {
        names.reduce(self) { $0.appending($1) }
    }
}
