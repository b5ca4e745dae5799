import BuildFileParser
import LayerDiff
import OCI

/// The users and groups of a root file system, from its /etc/passwd and /etc/group.
struct UserDatabase: Sendable {
    /// A line of /etc/passwd.
    struct User: Sendable, Hashable {
        var name: String
        var uid: UInt32
        var gid: UInt32
        var home: String
    }

    /// A line of /etc/group.
    struct Group: Sendable, Hashable {
        var name: String
        var gid: UInt32
        var members: [String]
    }

    /// Who a process is, and what it may reach.
    struct Identity: Sendable, Hashable {
        var uid: UInt32
        var gid: UInt32
        var supplementaryGroups: [UInt32]
        var home: String

        static let root = Identity(uid: 0, gid: 0, supplementaryGroups: [], home: "/root")
    }

    private(set) var users: [User] = []
    private(set) var groups: [Group] = []
    /// Larger files than this are nothing that a user database is.
    private static let limit = 16 << 20

    init(passwd: [UInt8], group: [UInt8]) {
        for fields in Self.lines(passwd) where fields.count >= 4 {
            guard let uid = Self.number(fields[2]), let gid = Self.number(fields[3]) else { continue }
            users.append(User(name: fields[0], uid: uid, gid: gid, home: fields.count > 5 ? fields[5] : ""))
        }
        for fields in Self.lines(group) where fields.count >= 3 {
            guard let gid = Self.number(fields[2]) else { continue }
            let members = fields.count > 3 ? fields[3].split(separator: ",").map(String.init) : []
            groups.append(Group(name: fields[0], gid: gid, members: members))
        }
    }

    /// Reads both files; one that is missing, no regular file, or reached only through a way out is empty.
    init(in stack: LayerStack) throws {
        self.init(passwd: try Self.read("etc/passwd", in: stack), group: try Self.read("etc/group", in: stack))
    }

    private static func read(_ path: String, in stack: LayerStack) throws -> [UInt8] {
        let resolved = try stack.resolve(ContainerPath(path), followLast: true)
        guard let found = stack.lookup(resolved), case .file(let size) = found.entry.kind, size <= limit else {
            return []
        }
        let file = try stack.open(found)
        return try HostFile.read(descriptor: file.raw, named: path, limit: limit)
    }

    private static func lines(_ bytes: [UInt8]) -> [[String]] {
        bytes.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }).map { line in
            line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// Looks up a `USER` value: who the process is and which groups it is in.
    func identity(_ text: String) throws -> Identity {
        let parts = Self.parts(text)
        let user = try self.user(parts.user)
        var identity = Identity(uid: user.uid, gid: user.gid, supplementaryGroups: [], home: user.home)
        if let group = parts.group {
            identity.gid = try gid(group)
        } else if !user.name.isEmpty {
            identity.supplementaryGroups = groups.filter { $0.members.contains(user.name) }.map(\.gid)
        }
        if identity.home.isEmpty { identity.home = "/" }
        return identity
    }

    /// Looks up a `--chown` value.
    func owner(_ text: String) throws -> (uid: UInt32, gid: UInt32) {
        let parts = Self.parts(text)
        if parts.user.isEmpty, let group = parts.group { return (0, try gid(group)) }
        if let uid = Self.number(parts.user) {
            // A number alone stands for the group too, whatever /etc/passwd says of that user.
            return (uid, try parts.group.map(gid) ?? uid)
        }
        let user = try self.user(parts.user)
        return (user.uid, try parts.group.map(gid) ?? user.gid)
    }

    private static func parts(_ text: String) -> (user: String, group: String?) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        return (parts[0], parts.count > 1 && !parts[1].isEmpty ? parts[1] : nil)
    }

    /// A number of a user or group.
    ///
    /// The largest one means "leave it as it is" to the kernel, and is nobody's.
    static func number(_ text: some StringProtocol) -> UInt32? {
        guard let number = UInt32(text), number != UInt32.max else { return nil }
        return number
    }

    private func user(_ name: String) throws -> User {
        if name.isEmpty || name == "root" && !users.contains(where: { $0.name == "root" }) {
            return users.first { $0.uid == 0 } ?? User(name: "root", uid: 0, gid: 0, home: "/")
        }
        if let user = users.first(where: { $0.name == name }) { return user }
        if let uid = Self.number(name) {
            return users.first { $0.uid == uid } ?? User(name: "", uid: uid, gid: 0, home: "/")
        }
        throw CopyError.unknownUser(name, near: suggestion(for: name, among: users.map(\.name)))
    }

    private func gid(_ name: String) throws -> UInt32 {
        if let group = groups.first(where: { $0.name == name }) { return group.gid }
        if let gid = Self.number(name) { return gid }
        if name == "root" { return 0 }
        throw CopyError.unknownGroup(name, near: suggestion(for: name, among: groups.map(\.name)))
    }
}
