extension LayerStack {
    /// Where `path` leads when symlinks are followed, none of them out of the root.
    ///
    /// What does not exist is appended as it is. With `followLast`, a symlink that `path` itself stands for is
    /// followed too.
    /// - Throws: ``LayerError`` for more than 40 symlinks.
    public func resolve(_ path: ContainerPath, followLast: Bool) throws(LayerError) -> ContainerPath {
        var views: [ContainerPath: View?] = [.root: rootView]
        return try SymlinkResolution.resolve(path, followLast: followLast) { path in
            guard let parent = path.parent, let view = Self.known(views, parent) else { return .missing }
            views[path] = .some(self.view(of: path, in: view))
            guard let found = child(path, in: view) else { return .missing }
            if case .symlink(let target) = found.entry.kind { return .symlink(target: target) }
            return .other
        }
    }

    private static func known(_ views: [ContainerPath: View?], _ path: ContainerPath) -> View? {
        views[path] ?? nil
    }
}
