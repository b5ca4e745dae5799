import Glibc
import LayerDiff
import OCI
import SystemPackage

/// A layer twice: unpacked to a directory, and as an image that is mounted.
struct BothForms {
    let directory: Directory
    let image: Directory
    let mount: ErofsMount
    let read: (directory: ReadLayer, image: ReadLayer)

    /// All that is seen of the two that is not the same.
    func differences() throws -> [String] {
        let (left, right) = (try FullListing(directory), try FullListing(image))
        return Set(left.lines.keys).union(right.lines.keys).sorted().compactMap { path in
            let (one, other) = (left.lines[path] ?? "nothing", right.lines[path] ?? "nothing")
            return one == other ? nil : "\(path): \(one) | \(other)"
        }
    }
}

extension Scratch {
    static let overlayOptions = ApplyOptions(form: .overlay(attributePrefix: "trusted.overlay."), devices: .made)

    /// Makes an image of the layer in a file, and lets fsck.erofs look at it.
    func image(
        _ blob: String,
        _ name: String = "image",
        lower: LayerStack? = nil
    ) throws -> (ReadLayer, OwnedDescriptor) {
        let path = "\(self.path)/\(name)"
        unlink(path)
        let raw = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw Errno(rawValue: errno) }
        let file = OwnedDescriptor(owning: raw, path: path)
        var options = Self.overlayOptions
        options.lower = { lower }
        let read = try reading(blob) { try LayerReader.image($0, to: file, options: options) }
        try shell("fsck.erofs \(path)")
        return (read, file)
    }

    /// Unpacks the layer in a file in both ways.
    func bothForms(_ blob: String, lower: LayerStack? = nil) throws -> BothForms {
        let directory = try self.directory("forms-\(UInt64.random(in: 0...UInt64.max))")
        var options = Self.overlayOptions
        options.lower = { lower }
        let unpacked = try reading(blob) { try LayerReader.apply($0, to: directory, options: options) }
        let (imaged, file) = try image(blob, lower: lower)
        let mount = try ErofsMount(file)
        let root = try Directory(path: mount.path)
        return BothForms(directory: directory, image: root, mount: mount, read: (unpacked, imaged))
    }
}

/// All that can be seen of a tree, but for its root's own mode and time, which an unpacked layer may not list.
struct FullListing {
    var lines: [ContainerPath: String] = [:]

    init(_ root: Directory) throws {
        var firstNames: [UInt64: ContainerPath] = [:]
        var pending: [ContainerPath] = [.root]
        var paths: [(ContainerPath, FileStatus)] = []
        lines[.root] = Self.text(try root.extendedAttributes(.root))
        while let directory = pending.popLast() {
            for item in try root.list(directory) {
                paths.append((directory.appending(item.name), item.status))
                if item.status.kind == .directory { pending.append(directory.appending(item.name)) }
            }
        }
        for (path, status) in paths.sorted(by: { $0.0 < $1.0 }) {
            if firstNames[status.inode] == nil { firstNames[status.inode] = path }
            var parts = [
                "\(status.kind)", String(status.mode, radix: 8), "\(status.uid):\(status.gid)",
                "links \(status.linkCount)", "at \(status.modified.seconds)",
                Self.text(try root.extendedAttributes(path)), "first \(firstNames[status.inode] ?? path)",
            ]
            switch status.kind {
            case .file: parts.append("\(status.size) \(try contentDigest(root, path))")
            case .symlink: parts.append("\(try root.readLink(path))")
            case .characterDevice, .blockDevice: parts.append("\(status.deviceMajor):\(status.deviceMinor)")
            case .directory, .fifo, .socket: break
            }
            lines[path] = parts.joined(separator: ", ")
        }
    }

    private static func text(_ attributes: [ExtendedAttribute]) -> String {
        attributes.map { "\(String(decoding: $0.name, as: UTF8.self))=\($0.value)" }.joined(separator: " ")
    }
}
