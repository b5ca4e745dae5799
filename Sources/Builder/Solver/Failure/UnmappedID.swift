import Exec

/// A step's user or group that the user namespace of this program does not have.
struct UnmappedID: Error, CustomStringConvertible {
    enum Kind: String {
        case user = "subuid"
        case group = "subgid"
    }

    let kind: Kind
    let id: UInt32

    var description: String {
        let name = kind == .user ? "user" : "group"
        return "the \(name) id \(id) does not exist in the user namespace of this swbuild: lend the user who calls "
            + "swbuild a larger range in /etc/\(kind.rawValue) (inside, ids count from 1), or run it as root"
    }
}

extension UserDatabase.Identity {
    /// Sees to it that a step can take on these ids.
    func check(_ ids: IDMaps) throws {
        try Credentials(uid: uid, gid: gid, supplementaryGroups: supplementaryGroups).check(ids)
    }
}

extension Credentials {
    /// Sees to it that a process can take on these ids.
    func check(_ ids: IDMaps) throws {
        guard ids.users.contains(uid) else { throw UnmappedID(kind: .user, id: uid) }
        for group in [gid] + supplementaryGroups where !ids.groups.contains(group) {
            throw UnmappedID(kind: .group, id: group)
        }
    }
}
