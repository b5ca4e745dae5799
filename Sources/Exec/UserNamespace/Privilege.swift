import Glibc

/// What this process may do to the files and mounts of the machine.
///
/// It is found out once, when the program starts, and decides where rooms differ: which marks an overlay takes, whether
/// device nodes can be made, which ids there are.
public enum Privilege: Sendable, Hashable {
    /// Root of the machine.
    case root
    /// Root of a user namespace, with the ids that are mapped into it.
    case userNamespace(IDMaps)
    /// An ordinary user outside of any user namespace of its own, and why that is so, where one was wanted.
    case user(UserNamespaceError?)

    /// What this process is now.
    public static func current() -> Privilege {
        guard geteuid() == 0 else { return .user(nil) }
        // proc(5): the number of the initial user namespace is fixed (PROC_USER_INIT_INO in linux/proc_ns.h). Its map
        // would not tell: another namespace may have the same one.
        var namespace = stat()
        if stat("/proc/self/ns/user", &namespace) == 0, namespace.st_ino == 0xEFFF_FFFD { return .root }
        return IDMaps.current().map(Privilege.userNamespace) ?? .root
    }

    /// Whether this is root, of the machine or of a user namespace.
    public var isRoot: Bool {
        switch self {
        case .root, .userNamespace: true
        case .user: false
        }
    }

    /// The ids that there are; `nil` where it is all.
    public var idMaps: IDMaps? {
        if case .userNamespace(let maps) = self { maps } else { nil }
    }
}

extension IDMaps {
    /// The maps of the user namespace that this process is in; `nil` where procfs does not tell.
    static func current() -> IDMaps? {
        guard let users = SmallFile.read("/proc/self/uid_map"), let groups = SmallFile.read("/proc/self/gid_map"),
            !users.isEmpty
        else { return nil }
        return IDMaps(users: .init(parsing: users), groups: .init(parsing: groups))
    }

    /// Both maps as text: equal for equal maps.
    public var text: String { "\(users.mapText)groups\n\(groups.mapText)" }

    /// Reads what ``text`` wrote; `nil` where it is something else.
    public init?(parsing text: String) {
        guard let middle = text.firstRange(of: "groups\n") else { return nil }
        users = .init(parsing: Array(text[..<middle.lowerBound].utf8))
        groups = .init(parsing: Array(text[middle.upperBound...].utf8))
    }

    /// Whether every id of `earlier` is still the same id outside: files that were made with `earlier` are what they were.
    public func keep(_ earlier: IDMaps) -> Bool {
        users.keep(earlier.users) && groups.keep(earlier.groups)
    }
}

extension [IDMaps.Range] {
    /// Reads a map as `/proc/PID/uid_map` shows it: three numbers on each line.
    init(parsing text: [UInt8]) {
        self = text.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let numbers = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
                .compactMap { UInt32(String(decoding: $0, as: UTF8.self)) }
            return numbers.count == 3 ? .init(inside: numbers[0], outside: numbers[1], count: numbers[2]) : nil
        }
    }

    /// Whether an id is mapped.
    public func contains(_ id: UInt32) -> Bool { outside(id) != nil }

    fileprivate func keep(_ earlier: [IDMaps.Range]) -> Bool {
        earlier.allSatisfy { range in
            guard range.count > 0 else { return true }
            let (first, last) = (range.inside, range.inside &+ (range.count - 1))
            // Within a run nothing changes: enough to look where runs begin, and at what comes after one.
            let places = [first] + flatMap { [$0.inside, $0.inside &+ $0.count] }
            return places.filter { $0 >= first && $0 <= last }
                .allSatisfy { outside($0) == range.outside &+ ($0 - first) }
        }
    }
}
