/// Following symlinks in a tree that is known by description only.
enum SymlinkResolution {
    /// What stands at a path.
    enum Answer {
        case missing
        case symlink(target: [UInt8])
        /// A directory, or what is treated as one.
        case other
    }

    /// Where `path` leads when its symlinks are followed, none of them out of the root; with `followLast`, the last
    /// component's too.
    ///
    /// What does not exist is taken as it is; `..` behind it leads back up.
    static func resolve(
        _ path: ContainerPath,
        followLast: Bool,
        _ lookup: (ContainerPath) -> Answer
    ) throws(LayerError) -> ContainerPath {
        var pending = Array(path.components.reversed())
        var resolved = ContainerPath.root
        var links = 0
        while let component = pending.popLast() {
            if component.elementsEqual(".".utf8) { continue }
            if component.elementsEqual("..".utf8) {
                resolved = resolved.parent ?? .root
                continue
            }
            let next = ContainerPath(parent: resolved, name: component)
            guard next.bytes.count < ContainerPath.tooLong else {
                throw LayerError(.limit(what: "bytes in a path", allowed: Int64(ContainerPath.tooLong - 1)))
            }
            guard followLast || !pending.isEmpty, case .symlink(let target) = lookup(next) else {
                resolved = next
                continue
            }
            links += 1
            guard links <= LayerStack.symlinkLimit else { throw LayerError(.symlinkLoop(path: path.description)) }
            if target.first == UInt8(ascii: "/") { resolved = .root }
            pending.append(contentsOf: target.split(separator: UInt8(ascii: "/")).reversed())
        }
        return resolved
    }
}
