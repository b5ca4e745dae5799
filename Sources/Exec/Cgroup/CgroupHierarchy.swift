/// A mounted hierarchy of cgroups, and where this process is in it.
struct CgroupHierarchy: Sendable, Hashable {
    /// The controllers that are bound to it; `nil` for the unified hierarchy of version 2, which says itself.
    let legacyControllers: [CgroupController]?
    /// Where it is mounted.
    let mount: String
    /// The directory of this process's own cgroup.
    let own: String

    var isUnified: Bool { legacyControllers == nil }

    /// The directory of `parent`: below the mount when it begins with a slash, else below the own cgroup.
    func directory(of parent: CgroupPath?) -> (base: String, components: [String]) {
        guard let parent else { return (own, []) }
        return (parent.isAbsolute ? mount : own, parent.components)
    }
}

extension CgroupHierarchy {
    /// The hierarchies that steps can use, from `/proc/self/mountinfo` and `/proc/self/cgroup`.
    ///
    /// Sources: proc_pid_mountinfo(5), cgroups(7) "/proc files".
    static func all(mountInfo: String, membership: String) -> [CgroupHierarchy] {
        let memberships = membership.split(separator: "\n").compactMap(Membership.init)
        var found: [CgroupHierarchy] = []
        for mount in mountInfo.split(separator: "\n").compactMap(Mount.init) {
            guard let membership = memberships.first(where: { $0.isIn(mount) }),
                let own = mount.directory(of: membership.path)
            else { continue }
            let controllers =
                mount.isUnified ? nil : CgroupController.allCases.filter { mount.options.contains($0.rawValue) }
            // Named hierarchies, and those of controllers that nothing here is limited by.
            if let controllers, controllers.isEmpty { continue }
            let hierarchy = CgroupHierarchy(legacyControllers: controllers, mount: mount.point, own: own)
            guard !found.contains(where: { $0.legacyControllers == controllers }) else { continue }
            found.append(hierarchy)
        }
        return found
    }

    private struct Membership {
        let controllers: [String]
        let path: String

        /// `ID:CONTROLLERS:PATH`; version 2 has no controllers there.
        init?(_ line: Substring) {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { return nil }
            controllers = fields[1].split(separator: ",").map(String.init)
            path = String(fields[2])
        }

        func isIn(_ mount: Mount) -> Bool {
            mount.isUnified ? controllers.isEmpty : controllers.contains { mount.options.contains($0) }
        }
    }

    private struct Mount {
        /// The directory of the hierarchy that is mounted.
        let root: String
        let point: String
        let isUnified: Bool
        let options: [String]

        init?(_ line: Substring) {
            let fields = line.split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 3 else { return nil }
            let type = fields[dash + 1]
            guard type == "cgroup" || type == "cgroup2" else { return nil }
            root = Self.unescaped(fields[3])
            point = Self.unescaped(fields[4])
            isUnified = type == "cgroup2"
            options = fields[dash + 3].split(separator: ",").map(String.init)
        }

        /// Where a cgroup is, `nil` where the mount does not show it.
        func directory(of path: String) -> String? {
            // By bytes: to the kernel, names that are equal as text may be different.
            let (bytes, root) = (Array(path.utf8), Array(root.utf8))
            if bytes == root { return point }
            let slash = UInt8(ascii: "/")
            let prefix = root.last == slash ? root : root + [slash]
            if bytes.starts(with: prefix) {
                return "\(point)/\(String(decoding: bytes.dropFirst(prefix.count), as: UTF8.self))"
            }
            // The root of a cgroup namespace: what is mounted from outside of it begins above.
            return path == "/" ? point : nil
        }

        /// A space, tab, line feed or backslash is a backslash with three octal digits there.
        private static func unescaped(_ text: Substring) -> String {
            var bytes: [UInt8] = []
            var rest = Substring(text).utf8[...]
            while let byte = rest.popFirst() {
                let digits = rest.prefix(3)
                if byte == UInt8(ascii: "\\"), digits.count == 3,
                    let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
                {
                    bytes.append(code)
                    rest = rest.dropFirst(3)
                } else {
                    bytes.append(byte)
                }
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}

/// The cgroup below which steps get theirs, as it is given.
public struct CgroupPath: Sendable, Hashable {
    /// Whether it begins at the root of the hierarchies; else at this process's own cgroup.
    public let isAbsolute: Bool
    let components: [String]

    /// Reads a path; `nil` where a component leads elsewhere or can be no name.
    public init?(parsing text: String) {
        guard !text.isEmpty, text.utf8.count < 4096, !text.utf8.contains(0), !text.utf8.contains(0x0A) else {
            return nil
        }
        isAbsolute = text.utf8.first == UInt8(ascii: "/")
        components = text.utf8.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
        guard components.allSatisfy({ $0 != "." && $0 != ".." && $0.utf8.count < 256 }) else { return nil }
    }
}

extension CgroupPath: CustomStringConvertible {
    /// The path as it can be given.
    public var description: String { (isAbsolute ? "/" : "") + components.joined(separator: "/") }
}
