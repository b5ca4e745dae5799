import LayerDiff
import OCI

/// What a layer keeps of a tree: for comparing trees as a whole.
///
/// That is all that can be seen but the times of directories, which alone are no change.
struct Snapshot: Equatable, CustomStringConvertible {
    struct Node: Hashable {
        var kind: FileKind
        var mode: UInt16
        var uid: UInt32
        var gid: UInt32
        var modified: Int64
        var attributes: [ExtendedAttribute]
        var content: String
        /// The first of the names that are the same file.
        var firstName: ContainerPath
    }

    var nodes: [ContainerPath: Node] = [:]

    /// Reads the tree, except for its sockets and the attributes of the root, which no layer has.
    init(_ root: Directory) throws {
        var firstNames: [UInt64: ContainerPath] = [:]
        var pending: [ContainerPath] = [.root]
        var paths: [(ContainerPath, FileStatus)] = []
        while let directory = pending.popLast() {
            for item in try root.list(directory) where item.status.kind != .socket {
                let path = directory.appending(item.name)
                paths.append((path, item.status))
                if item.status.kind == .directory { pending.append(path) }
            }
        }
        for (path, status) in paths.sorted(by: { $0.0 < $1.0 }) {
            if status.linkCount > 1, status.kind != .directory, firstNames[status.inode] == nil {
                firstNames[status.inode] = path
            }
            nodes[path] = Node(
                kind: status.kind,
                mode: status.kind == .symlink ? 0o777 : status.mode,
                uid: status.uid,
                gid: status.gid,
                modified: status.kind == .directory ? 0 : status.modified.seconds,
                attributes: try root.extendedAttributes(path).filter { !$0.name.starts(with: "trusted.".utf8) },
                content: try Self.content(root, path, status),
                firstName: status.kind == .directory ? path : firstNames[status.inode] ?? path
            )
        }
    }

    /// What a stack of layers shows.
    init(_ stack: LayerStack) throws {
        for flat in stack.flattened() where !flat.entry.path.isRoot {
            let shown = flat.found.entry
            var node = Node(
                kind: .file,
                mode: shown.mode,
                uid: shown.uid,
                gid: shown.gid,
                modified: shown.modified,
                attributes: shown.attributes,
                content: "",
                firstName: shown.path
            )
            if case .hardLink(let target) = flat.entry.kind { node.firstName = target }
            switch shown.kind {
            case .file(let size):
                node.content = "\(size) \(try Self.digest(try stack.open(flat.found)))"
            case .directory:
                node.kind = .directory
                node.modified = 0
            case .symlink(let target):
                node.kind = .symlink
                node.mode = 0o777
                node.content = String(decoding: target, as: UTF8.self)
            case .characterDevice(let major, let minor):
                node.kind = .characterDevice
                node.content = "\(major):\(minor)"
            case .blockDevice(let major, let minor):
                node.kind = .blockDevice
                node.content = "\(major):\(minor)"
            case .fifo: node.kind = .fifo
            case .hardLink, .whiteout: node.content = "not resolved"
            }
            nodes[shown.path] = node
        }
    }

    private static func content(
        _ root: Directory,
        _ path: ContainerPath,
        _ status: FileStatus
    ) throws -> String {
        switch status.kind {
        case .file: "\(status.size) \(try contentDigest(root, path))"
        case .symlink: String(decoding: try root.readLink(path), as: UTF8.self)
        case .characterDevice, .blockDevice: "\(status.deviceMajor):\(status.deviceMinor)"
        case .directory, .fifo, .socket: ""
        }
    }

    private static func digest(_ file: OwnedDescriptor) throws -> Digest {
        var hasher = Digest.Hasher()
        var block = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = try block.withUnsafeMutableBytes { try file.read(into: $0) }
            if count == 0 { return hasher.finalize() }
            hasher.update(Array(block[..<count]))
        }
    }

    /// The tree without what a layer does not keep: that a new name is one more of a file which did not change.
    func ignoringLinks(toUnchangedOf before: Snapshot) -> Snapshot {
        func isUnchanged(_ path: ContainerPath) -> Bool {
            guard var old = before.nodes[path], let new = nodes[path] else { return false }
            old.firstName = new.firstName
            return old == new
        }
        var first: [ContainerPath: ContainerPath] = [:]
        var result = self
        for path in nodes.keys.sorted() {
            guard let name = nodes[path]?.firstName, !isUnchanged(path) else {
                result.nodes[path]?.firstName = path
                continue
            }
            if first[name] == nil { first[name] = path }
            result.nodes[path]?.firstName = first[name] ?? path
        }
        return result
    }

    /// The paths on which two trees differ, with both sides.
    func differences(from other: Snapshot) -> [String] {
        Set(nodes.keys).union(other.nodes.keys).sorted().filter { nodes[$0] != other.nodes[$0] }.map { path in
            func side(_ node: Node?) -> String { node.map { "\($0)" } ?? "nothing" }
            return "\(path) \(Array(path.bytes)): \(side(nodes[path])) | \(side(other.nodes[path]))"
        }
    }

    var description: String { "\(nodes.count) nodes" }
}
