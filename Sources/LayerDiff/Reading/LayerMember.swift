/// What an entry of a layer's tar says, after its name was checked.
enum LayerMember {
    /// There is something at a path. A hard link's target is a path in the root file system.
    case entry(TreeEntry)
    /// What is below at the path is gone.
    case whiteout(ContainerPath)
    /// What is below in the directory is gone.
    case opaque(ContainerPath)
    /// A leftover of the machine that the layer was made on.
    case ignored

    /// Reads a member's name and kind.
    ///
    /// Source: image-spec 1.1, layer.md, "Whiteouts" and "File Attributes".
    init(_ member: TarMember) throws(LayerError) {
        let path = try Self.path(member.name, of: member)
        for component in path.components.dropLast() where Whiteouts.isReserved(component) {
            if component.starts(with: Whiteouts.metadataPrefix) {
                self = .ignored
                return
            }
            throw Self.refused(member, "it is beneath a whiteout")
        }
        if Whiteouts.isReserved(path.name) {
            self = try Self.mark(path, member)
            return
        }
        guard let kind = try Self.kind(of: member, path) else {
            self = .ignored
            return
        }
        guard !path.isRoot || member.kind == .directory else {
            throw Self.refused(member, "it would replace the root directory")
        }
        self = .entry(
            TreeEntry(
                path: path,
                kind: kind,
                mode: member.mode,
                uid: member.uid,
                gid: member.gid,
                modified: member.modified,
                attributes: member.hardLink == nil ? member.attributes : []
            )
        )
    }

    private static func mark(_ path: ContainerPath, _ member: TarMember) throws(LayerError) -> LayerMember {
        guard let parent = path.parent else { return .ignored }
        if path.name.elementsEqual(Whiteouts.opaque) { return .opaque(parent) }
        if path.name.starts(with: Whiteouts.metadataPrefix) { return .ignored }
        let name = path.name.dropFirst(Whiteouts.prefix.count)
        guard !name.isEmpty, !name.elementsEqual(".".utf8), !name.elementsEqual("..".utf8) else {
            throw refused(member, "it is a whiteout of nothing")
        }
        return .whiteout(ContainerPath(parent: parent, name: name))
    }

    /// A name, made a path: `./` and `/` in front are habit, `..` is none.
    private static func path(_ name: [UInt8], of member: TarMember) throws(LayerError) -> ContainerPath {
        for component in name.split(separator: UInt8(ascii: "/")) where component.elementsEqual("..".utf8) {
            throw refused(member, "it has `..` in its name")
        }
        let path = ContainerPath(cleaning: name)
        // No such file could ever be opened.
        guard path.bytes.count < ContainerPath.tooLong else {
            throw refused(member, "its name is longer than a path can be")
        }
        return path
    }

    private static func kind(of member: TarMember, _ path: ContainerPath) throws(LayerError) -> TreeEntry.Kind? {
        if let link = member.hardLink {
            if link.first == UInt8(ascii: "/") { throw refused(member, "it is a hard link to an absolute path") }
            for component in link.split(separator: UInt8(ascii: "/")) where component.elementsEqual("..".utf8) {
                throw refused(member, "it is a hard link with `..` in its target")
            }
            let target = ContainerPath(cleaning: link)
            guard target != path, !target.isRoot else { throw refused(member, "it is a hard link to itself") }
            return .hardLink(target: target)
        }
        switch member.kind {
        case .file:
            guard member.size >= 0 else { throw refused(member, "its size is negative") }
            return .file(size: member.size)
        case .directory: return .directory(opaque: false)
        case .symlink:
            guard let target = member.symlink, !target.isEmpty else {
                throw refused(member, "it is a symlink to nowhere")
            }
            guard target.count < ContainerPath.tooLong else {
                throw refused(member, "its target is longer than a path can be")
            }
            return .symlink(target: target)
        case .characterDevice:
            try checkDevice(member)
            return .characterDevice(major: member.deviceMajor, minor: member.deviceMinor)
        case .blockDevice:
            try checkDevice(member)
            return .blockDevice(major: member.deviceMajor, minor: member.deviceMinor)
        case .fifo: return .fifo
        case .socket: return nil
        }
    }

    /// Refuses numbers that no device has, and those that stand for something else.
    ///
    /// Linux has 12 bits for the one number and 20 for the other: include/linux/kdev_t.h, `MINORBITS`.
    static func checkDevice(_ member: TarMember) throws(LayerError) {
        guard member.deviceMajor < 1 << 12, member.deviceMinor < 1 << 20 else {
            throw refused(member, "Linux has no device \(member.deviceMajor):\(member.deviceMinor); leave it out")
        }
        if member.kind == .characterDevice, member.deviceMajor == 0, member.deviceMinor == 0 {
            throw refused(member, "a character device 0:0 would be taken for a whiteout")
        }
    }

    static func refused(_ member: TarMember, _ why: String) -> LayerError {
        LayerError(.hostileEntry(name: text(member.name), why: why))
    }
}
