/// Extended attributes as they stand behind an inode.
enum ErofsAttributes {
    private static let headerSize = 12
    private static let mostUnits = Int(UInt16.max)
    /// The number that stands for the beginning of a name.
    private static let prefixes: [(text: String, number: UInt8)] = [("user.", 1), ("trusted.", 4), ("security.", 6)]

    /// How many bytes ``encoded(_:of:)`` gives.
    static func size(_ attributes: [ExtendedAttribute]) -> Int {
        guard !attributes.isEmpty else { return 0 }
        return attributes.reduce(headerSize) { sum, attribute in
            let prefix = prefix(of: attribute.name)?.text.utf8.count ?? 0
            return sum + (4 + attribute.name.count - prefix + attribute.value.count + 3) / 4 * 4
        }
    }

    /// The count of an inode's header that stands for `size` bytes.
    static func count(size: Int) -> UInt16 {
        size == 0 ? 0 : UInt16((size - headerSize) / 4 + 1)
    }

    /// Refuses what a file system of the disk refuses, too, or what an image has no room for.
    static func check(_ attributes: [ExtendedAttribute], of entry: TreeEntry) throws(LayerError) {
        for attribute in attributes {
            guard let prefix = prefix(of: attribute.name) else {
                throw refused(entry, "its extended attribute \(text(attribute.name)) has an unknown beginning")
            }
            let length = attribute.name.count - prefix.text.utf8.count
            guard length > 0, length <= Int(UInt8.max), attribute.value.count <= Int(UInt16.max) else {
                throw refused(entry, "its extended attribute \(text(attribute.name)) is too long")
            }
            if prefix.number == 1 {
                switch entry.kind {
                case .file, .directory, .hardLink: break
                case .symlink, .characterDevice, .blockDevice, .fifo, .whiteout:
                    throw refused(entry, "only files and directories have extended attributes of users")
                }
            }
            if attribute.name.elementsEqual("security.capability".utf8), !isCapability(attribute.value) {
                throw refused(entry, "its capabilities are malformed")
            }
        }
        guard size(attributes) / 4 < mostUnits else { throw refused(entry, "it has too many extended attributes") }
    }

    /// The attributes, in their given order.
    static func encoded(_ attributes: [ExtendedAttribute]) -> [UInt8] {
        guard !attributes.isEmpty else { return [] }
        var bytes = [UInt8](repeating: 0, count: headerSize)
        for attribute in attributes {
            guard let prefix = prefix(of: attribute.name) else { continue }
            let name = attribute.name.dropFirst(prefix.text.utf8.count)
            bytes.append(UInt8(truncatingIfNeeded: name.count))
            bytes.append(prefix.number)
            bytes.append(little: UInt16(truncatingIfNeeded: attribute.value.count))
            bytes.append(contentsOf: name)
            bytes.append(contentsOf: attribute.value)
            bytes.fill(to: (bytes.count + 3) / 4 * 4)
        }
        return bytes
    }

    private static func prefix(of name: [UInt8]) -> (text: String, number: UInt8)? {
        prefixes.first { name.starts(with: $0.text.utf8) }
    }

    /// Whether a value has one of the two forms that setxattr(2) takes (the kernel's linux/capability.h).
    private static func isCapability(_ value: [UInt8]) -> Bool {
        guard value.count >= 4 else { return false }
        return switch value[3] {
        case 2: value.count == 20
        case 3: value.count == 24
        default: false
        }
    }

    private static func refused(_ entry: TreeEntry, _ why: String) -> LayerError {
        LayerError(.noImage(path: entry.path.description, why: why))
    }
}
