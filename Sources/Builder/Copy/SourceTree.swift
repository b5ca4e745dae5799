import LayerDiff
import OCI

/// A file, directory or link of a tree that COPY or a mount takes from.
struct SourceNode: Sendable {
    /// What makes two names the same file.
    struct Identity: Sendable, Hashable {
        var first: UInt64
        var second: UInt64
        var path: ContainerPath?
    }

    /// Path, kind and attributes; kinds are those of a file system: no whiteouts, no hard links.
    var entry: TreeEntry
    /// `nil` where the file has one name only.
    var identity: Identity?
    /// Whether an ignore file excludes this directory, though not all that is below it.
    var isImplicit = false
    /// What tells the file's content from another, for a file of the host.
    var status: FileKey?
    /// Whether the host's file belongs to somebody else than root.
    var isForeign = false
}

/// A tree of files to take from: a build context, a stage's file system, an unpacked archive.
protocol SourceTree: Sendable {
    /// The node at a path, links not followed; `nil` where there is none.
    func node(_ path: ContainerPath) throws -> SourceNode?
    /// What a directory holds, in byte order.
    func children(_ path: ContainerPath) throws -> [SourceNode]
    /// Where a regular file's bytes come from.
    func content(_ node: SourceNode) throws -> ContentSource
    /// The digest of a regular file's bytes.
    func digest(_ node: SourceNode) throws -> Digest
    /// The same, where it is known without reading the file.
    func knownDigest(_ node: SourceNode) -> Digest?
    /// Whether listing a directory waits for the file system, so that it is worth a thread.
    var isListedByKernel: Bool { get }
}

extension SourceTree {
    func knownDigest(_ node: SourceNode) -> Digest? { nil }

    var isListedByKernel: Bool { false }
}

extension SourceTree {
    /// Follows symbolic links within the tree, as if it were the root; a missing rest is appended as it is.
    func resolve(_ path: ContainerPath, followLast: Bool) throws -> ContainerPath {
        var waiting = Array(path.components.reversed())
        var result = ContainerPath.root
        var links = 0
        while let component = waiting.popLast() {
            if component.elementsEqual([UInt8(ascii: ".")]) { continue }
            if component.elementsEqual([UInt8(ascii: "."), UInt8(ascii: ".")]) {
                result = result.parent ?? .root
                continue
            }
            let next = result.appending(component)
            guard case .symlink(let target)? = try node(next)?.entry.kind, followLast || !waiting.isEmpty else {
                result = next
                continue
            }
            links += 1
            guard links <= 40 else { throw CopyError.tooManyLinks(path) }
            if target.first == UInt8(ascii: "/") { result = .root }
            waiting += target.split(separator: UInt8(ascii: "/")).reversed()
        }
        return result
    }

    /// Visits a node and all below it, parents first, each directory's children in byte order.
    ///
    /// A directory that is only there for what is below it is visited with the first of that.
    func walk(_ start: SourceNode, _ body: (SourceNode) throws -> Void) throws {
        var walk = TreeWalk(tree: self)
        defer { walk.ahead?.stop() }
        try walk.visit(start, body)
    }
}

/// A walk through a tree: what has been left for later, and who lists what comes next.
private struct TreeWalk {
    let tree: any SourceTree
    /// Directories that are visited with the first of what is below them.
    var pending: [SourceNode] = []
    var ahead: ListingAhead<[SourceNode]>?
    private var isBegun = false

    init(tree: any SourceTree) { self.tree = tree }

    mutating func visit(_ node: SourceNode, _ body: (SourceNode) throws -> Void) throws {
        if node.isImplicit {
            pending.append(node)
        } else {
            for waiting in pending { try body(waiting) }
            pending = []
            try body(node)
        }
        guard node.entry.isDirectory else { return }
        for child in try children(of: node) { try visit(child, body) }
        if let last = pending.last, last.entry.path == node.entry.path { pending.removeLast() }
    }

    private mutating func children(of node: SourceNode) throws -> [SourceNode] {
        if let ahead { return try ahead.children(node.entry.path) }
        let children = try tree.children(node.entry.path)
        if !isBegun, tree.isListedByKernel {
            ahead = ListingAhead.begin(with: children) { [tree] in try tree.children($0) }
        }
        isBegun = true
        return children
    }
}

/// The merged file system of a stage or image.
struct StackTree: SourceTree {
    let stack: LayerStack

    private func node(_ found: LayerStack.Found) -> SourceNode {
        var identity: SourceNode.Identity?
        if case .file = found.entry.kind {
            identity = SourceNode.Identity(first: UInt64(found.layer), second: 0, path: found.contentPath)
        }
        return SourceNode(entry: found.entry, identity: identity)
    }

    func node(_ path: ContainerPath) throws -> SourceNode? {
        if path.isRoot {
            return SourceNode(
                entry: stack.lookup(path)?.entry
                    ?? TreeEntry(path: .root, kind: .directory(opaque: false), mode: 0o755, uid: 0, gid: 0, modified: 0)
            )
        }
        return stack.lookup(path).map(node)
    }

    func children(_ path: ContainerPath) throws -> [SourceNode] {
        stack.children(of: path).map(node)
    }

    func content(_ node: SourceNode) throws -> ContentSource {
        guard let identity = node.identity, let path = identity.path else { return .none }
        return .file(try stack.directory(ofLayer: Int(identity.first)), path)
    }

    func digest(_ node: SourceNode) throws -> Digest {
        guard case .file(let directory, let path, _) = try content(node) else { return Digest(of: []) }
        return try contentDigest(directory, path)
    }
}

/// What is wrong with what a COPY, ADD or mount asks for.
enum CopyError: Error, CustomStringConvertible {
    case missing(String, in: String, hints: [String])
    case dangling(String, in: String)
    case tooManyLinks(ContainerPath)
    case fileInTheWay(ContainerPath)
    case directoryInTheWay(ContainerPath)
    case unknownUser(String, near: String?)
    case unknownGroup(String, near: String?)
    case malformedMode(String)
    case whiteoutDevice(ContainerPath)

    var description: String { ([sentence] + hints).joined(separator: "; ") }

    /// What may help.
    var hints: [String] {
        switch self {
        case .missing(_, _, let hints): hints
        case .unknownUser(_, let near), .unknownGroup(_, let near): near.map { ["did you mean `\($0)`?"] } ?? []
        case .dangling, .tooManyLinks, .fileInTheWay, .directoryInTheWay, .malformedMode, .whiteoutDevice: []
        }
    }

    /// What is wrong.
    var sentence: String {
        switch self {
        case .missing(let path, let place, _): "`\(path)` is not in \(place)"
        case .dangling(let path, let place):
            "`\(path)` of \(place) is a symbolic link to something that is not there"
        case .tooManyLinks(let path): "\(path) leads through too many symbolic links"
        case .fileInTheWay(let path):
            "\(path) cannot be a directory: there is something there that is none"
        case .directoryInTheWay(let path): "a file cannot be copied to \(path): there is a directory there"
        case .unknownUser(let name, _):
            "the image has no user `\(name)` in /etc/passwd; use a number or add the user first"
        case .unknownGroup(let name, _):
            "the image has no group `\(name)` in /etc/group; use a number or add the group first"
        case .malformedMode(let mode): "`\(mode)` is no mode: expected an octal number such as 0755, or u=rwX,go=rX"
        case .whiteoutDevice(let path):
            "\(path) of the build context is a device node 0:0, which a layer cannot hold; name it in .dockerignore"
        }
    }
}
