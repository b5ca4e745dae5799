import CShims
import Glibc

/// Tries what the kernel allows this program: what it says of itself does not tell.
public enum KernelTrial {
    /// What came of trying namespaces: an error number each, 0 where it worked, `nil` where it was not reached.
    public struct Namespaces: Sendable, Hashable {
        /// A user namespace.
        public var user: Int32?
        /// The map of one id in it.
        public var idMap: Int32?
        /// The other namespaces.
        public var others: Int32?
        /// An overlay file system.
        public var overlay: Int32?

        /// Nothing was reached.
        public init() {}

        init(_ result: swb_probe_result) {
            func code(_ value: Int32) -> Int32? { value < 0 ? nil : value }
            user = code(result.user_namespace)
            idMap = code(result.id_map)
            others = code(result.namespaces)
            overlay = code(result.overlay)
        }
    }

    /// Tries namespaces and an overlay in them, in a process that ends afterwards.
    ///
    /// `directory` is empty, and is filled with what the overlay is made of.
    public static func namespaces(inUserNamespace: Bool, directory: String) -> Namespaces {
        guard mkdir("\(directory)/lower", 0o700) == 0 else { return Namespaces() }
        return namespaces(inUserNamespace: inUserNamespace, directory: directory, lower: "lower")
    }

    /// Whether an overlay in a sandbox's namespaces can have `lower`, a path of the host's, as its lower directory: an
    /// error number, 0 where it can, `nil` where that could not be tried.
    ///
    /// `directory` is empty, and is filled with what the overlay is made of.
    public static func overlay(above lower: String, directory: String) -> Int32? {
        namespaces(inUserNamespace: false, directory: directory, lower: lower).overlay
    }

    private static func namespaces(inUserNamespace: Bool, directory: String, lower: String) -> Namespaces {
        let arena = Arena()
        let places = ["upper", "work", "scratch"]
        guard places.allSatisfy({ mkdir("\(directory)/\($0)", 0o700) == 0 }) else { return Namespaces() }
        let names = places.map { UnsafePointer(arena.string($0)) }
        var probe = swb_probe(
            own_users: inUserNamespace ? 1 : 0,
            uid: geteuid(),
            gid: getegid(),
            directory: arena.string(directory),
            lower: arena.string(lower),
            upper: names[0],
            work: names[1],
            scratch: names[2]
        )
        var result = swb_probe_result(user_namespace: -1, id_map: -1, namespaces: -1, overlay: -1)
        _ = withExtendedLifetime(arena) { swb_try(&probe, &result) }
        return Namespaces(result)
    }

    /// The version of Landlock's interface; 0 where there is none.
    public static var landlockVersion: Int { Int(max(0, swb_landlock_version())) }

    /// Sets an extended attribute of one byte, and gives the error number, 0 where it worked.
    public static func setAttribute(_ name: String, of path: String) -> Int32 {
        let value: [UInt8] = [1]
        return -min(0, value.withUnsafeBytes { cshims_lsetxattr(path, name, $0.baseAddress, $0.count) })
    }

    /// Whether a file has an extended attribute.
    public static func hasAttribute(_ name: String, of path: String) -> Bool {
        cshims_lgetxattr(path, name, nil, 0) >= 0
    }
}
