import BuildFileParser
import LayerDiff

/// What may help where a path is not in a tree: what hides it, or a path that is nearly the same.
struct SourceHints {
    /// Entries that are looked at: in a larger tree, what is further on is not suggested.
    private static let limit = 20_000

    let tree: any SourceTree

    /// The hints, none where nothing is known; paths are shown as `text` was written, with a slash in front or without.
    func hints(for path: ContainerPath, writtenAs text: String) throws -> [String] {
        if let rule = try (tree as? ContextTree)?.hidingRule(path) { return [rule] }
        if tree is ContextTree, Self.leadsAbove(text) {
            return [
                "`..` leads no higher than the context; with --build-context NAME=DIRECTORY, files of another directory"
                    + " can be copied by --from=NAME"
            ]
        }
        if let near = try sibling(of: path) ?? elsewhere(path) {
            return ["did you mean `\(text.hasPrefix("/") ? "/" : "")\(near)`?"]
        }
        return []
    }

    /// Whether a path, taken from a directory, would lead out of it.
    private static func leadsAbove(_ path: String) -> Bool {
        var depth = 0
        for part in path.split(separator: "/") where part != "." {
            depth += part == ".." ? -1 : 1
            if depth < 0 { return true }
        }
        return false
    }

    /// A name in the same directory.
    private func sibling(of path: ContainerPath) throws -> String? {
        guard let parent = path.parent else { return nil }
        let directory = try tree.resolve(parent, followLast: true)
        guard let node = try tree.node(directory), node.entry.isDirectory else { return nil }
        let names = try tree.children(directory).prefix(Self.limit).map { Self.text($0.entry.path.name) }
        guard let near = suggestion(for: Self.text(path.name), among: names) else { return nil }
        return Self.text(parent.appending(near.utf8).bytes)
    }

    /// A path anywhere: one that is nearly the same, else one that ends in the same name.
    private func elsewhere(_ path: ContainerPath) throws -> String? {
        var paths: [String] = []
        var waiting = [ContainerPath.root]
        var next = 0
        var sameName: String?
        while next < waiting.count, paths.count < Self.limit {
            defer { next += 1 }
            guard let children = try? tree.children(waiting[next]) else { continue }
            for child in children.prefix(Self.limit - paths.count) {
                let text = Self.text(child.entry.path.bytes)
                paths.append(text)
                if sameName == nil, child.entry.path.name.elementsEqual(path.name) { sameName = text }
                if child.entry.isDirectory { waiting.append(child.entry.path) }
            }
        }
        return suggestion(for: Self.text(path.bytes), among: paths) ?? sameName
    }

    private static func text(_ bytes: some Collection<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}
