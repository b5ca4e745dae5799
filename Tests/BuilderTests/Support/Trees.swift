import BuildFileParser
import LayerDiff
import OCI
import Store

@testable import Builder

extension Scratch {
    /// The directory `name` as a build context.
    func context(_ name: String = "context", ignoring lines: String? = nil) throws -> ContextTree {
        try ContextTree(
            path: "\(path)/\(name)",
            name: "the build context",
            rules: try lines.map { try IgnoreRules(parsing: Array($0.utf8)) },
            hashes: ContentHashes(path: "\(path)/hashes")
        )
    }
}

extension CopyStep {
    /// A COPY without flags.
    static func plain(_ sources: [String], to destination: String) -> CopyStep {
        CopyStep(
            base: NodeID(index: 0),
            isAdd: false,
            from: .context(0),
            sources: sources.map { .path($0) },
            destination: destination,
            owner: nil,
            mode: nil,
            excludes: [],
            link: false,
            parents: false,
            unpack: nil,
            checksum: nil
        )
    }

    /// What the step selects of a tree.
    func selection(from tree: any SourceTree) throws -> Selection {
        var selection = Selection()
        selection.trees = [tree]
        let selector = try Selector(step: self, tree: tree, place: "the build context")
        for case .path(let text) in sources { try selector.select(text, into: &selection, tree: 0) }
        return selection
    }

    /// The layer that the step leaves on a file system.
    func layer(from tree: any SourceTree, onto stack: LayerStack?) throws -> [LayerEntry] {
        Array(try CopyLayer.entries(of: try selection(from: tree), step: self, onto: stack, owner: nil, now: 7))
    }
}

extension TreeEntry {
    /// The entry in one line: kind, mode, owner and path.
    var line: String {
        let kind =
            switch self.kind {
            case .file: "-"
            case .directory: "d"
            case .symlink(let target): "l(\(String(decoding: target, as: UTF8.self)))"
            case .hardLink(let target): "h(\(target))"
            case .characterDevice: "c"
            case .blockDevice: "b"
            case .fifo: "p"
            case .whiteout: "w"
            }
        return "\(kind) \(String(mode, radix: 8)) \(uid):\(gid) \(path)"
    }
}

/// A file system of one layer, for looking things up only.
func fileSystem(_ entries: [TreeEntry]) -> LayerStack {
    LayerStack([LayerStack.Layer(index: LayerIndex(entries)) { throw NoDirectory() }])
}

/// The file systems of these tests are lists only.
struct NoDirectory: Error {}

func directory(_ path: String, mode: UInt16 = 0o755, owner: UInt32 = 0) -> TreeEntry {
    TreeEntry(
        path: ContainerPath(path),
        kind: .directory(opaque: false),
        mode: mode,
        uid: owner,
        gid: owner,
        modified: 5
    )
}

func file(_ path: String, mode: UInt16 = 0o644) -> TreeEntry {
    TreeEntry(path: ContainerPath(path), kind: .file(size: 0), mode: mode, uid: 0, gid: 0, modified: 5)
}

func link(_ path: String, to target: String) -> TreeEntry {
    TreeEntry(
        path: ContainerPath(path),
        kind: .symlink(target: Array(target.utf8)),
        mode: 0o777,
        uid: 0,
        gid: 0,
        modified: 5
    )
}

/// A tree whose walk lists each directory when it comes to it.
struct ListedInPlace: SourceTree {
    let tree: ContextTree

    func node(_ path: ContainerPath) throws -> SourceNode? { try tree.node(path) }
    func children(_ path: ContainerPath) throws -> [SourceNode] { try tree.children(path) }
    func content(_ node: SourceNode) throws -> ContentSource { try tree.content(node) }
    func digest(_ node: SourceNode) throws -> Digest { try tree.digest(node) }
}
