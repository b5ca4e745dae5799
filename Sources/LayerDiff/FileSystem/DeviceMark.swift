/// The mark on an empty file that stands for a device node where none can be made.
///
/// Steps may rename, remove or change the placeholder as they could the node: the mark goes with it, and so does the
/// node in the layer. The attribute never gets into a layer, and none is taken from one.
enum DeviceMark {
    /// How the names of swbuild's own attributes begin.
    static let ownPrefix = "user.swbuild."

    private static let name = ownPrefix + "device"

    /// The mark for a device; `nil` for whatever is none.
    static func attribute(for kind: TreeEntry.Kind) -> ExtendedAttribute? {
        switch kind {
        case .characterDevice(let major, let minor): ExtendedAttribute(name, "c \(major) \(minor)")
        case .blockDevice(let major, let minor): ExtendedAttribute(name, "b \(major) \(minor)")
        case .file, .directory, .symlink, .hardLink, .fifo, .whiteout: nil
        }
    }

    /// The device that one of these attributes marks, if one does.
    static func kind(in attributes: [ExtendedAttribute]) -> TreeEntry.Kind? {
        guard let mark = attributes.first(where: { $0.name.elementsEqual(name.utf8) }) else { return nil }
        let fields = mark.value.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
        guard fields.count == 3, let major = UInt32(fields[1]), let minor = UInt32(fields[2]),
            major != 0 || minor != 0
        else { return nil }
        switch fields[0] {
        case "c": return .characterDevice(major: major, minor: minor)
        case "b": return .blockDevice(major: major, minor: minor)
        default: return nil
        }
    }
}
