import CShims
import Glibc
import SystemPackage

/// The user namespace in which an ordinary user's program is root.
///
/// The process itself moves into it, so that all that comes after is as root, in one process that takes its own signals.
public enum UserNamespace {
    /// Makes this process root of a new user namespace with the user's subordinate ids.
    ///
    /// The process must have one thread only. When this fails, the process is what it was.
    /// - Returns: The maps of the namespace.
    /// - Throws: ``UserNamespaceError``.
    public static func enter() throws(UserNamespaceError) -> IDMaps {
        let user = Account.current()
        let users = try lent("/etc/subuid", to: user, id: user.uid)
        let groups = try lent("/etc/subgid", to: user, id: user.uid)
        let maps = IDMaps(
            users: SubordinateIDs.map(own: user.uid, lent: users),
            groups: SubordinateIDs.map(own: user.gid, lent: groups)
        )
        var holder = swb_holder()
        let failure = swb_hold_user_namespace(&holder)
        guard failure == 0 else { throw .forbidden(Errno(rawValue: failure)) }
        defer { swb_release_user_namespace(&holder) }
        // Both at once: what they do takes longer than to start them.
        let programs = [("newuidmap", maps.users), ("newgidmap", maps.groups)]
        var running: [MapProgram] = []
        for (name, map) in programs { running.append(try MapProgram(name, process: holder.pid, map: map)) }
        for program in running { try program.finish() }
        let refused = swb_join_user_namespace(&holder)
        guard refused == 0 else { throw .closed(Errno(rawValue: refused)) }
        return maps
    }

    /// Makes this process root of a new user namespace that has no other id than the user's own.
    ///
    /// The process must have one thread only. Unlike with subordinate ids, no other program has to help.
    /// - Returns: The maps of the namespace.
    /// - Throws: ``UserNamespaceError``.
    public static func enterAlone() throws(UserNamespaceError) -> IDMaps {
        let (uid, gid) = (getuid(), getgid())
        let maps = IDMaps(
            users: SubordinateIDs.map(own: uid, lent: []),
            groups: SubordinateIDs.map(own: gid, lent: [])
        )
        let failure = swb_leave_user_namespace()
        guard failure == 0 else { throw .forbidden(Errno(rawValue: failure)) }
        // user_namespaces(7): a process may map its own group only when no group can be given up any more.
        for (file, text) in [
            ("setgroups", "deny"), ("gid_map", maps.groups.mapText), ("uid_map", maps.users.mapText),
        ] {
            do throws(Errno) {
                try SmallFile.write(text, to: "/proc/self/\(file)")
            } catch {
                throw .closed(error)
            }
        }
        return maps
    }

    /// Where newuidmap or newgidmap is: in the directories of a search path, or else where systems have it, since the
    /// search path of a service may be anything.
    public static func program(_ name: String, searchPath: String) -> String? {
        (searchPath.split(separator: ":").map(String.init) + ["/usr/bin", "/bin"])
            .filter { $0.hasPrefix("/") }.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    private static func lent(
        _ file: String,
        to user: Account,
        id: UInt32
    ) throws(UserNamespaceError) -> [SubordinateIDs.Range] {
        let ranges = SubordinateIDs.ranges(in: SmallFile.read(file) ?? [], name: user.name, id: id)
        guard !ranges.isEmpty else { throw .noSubordinateIDs(file: file, user: user.name ?? "\(user.uid)") }
        return ranges
    }
}

/// Who runs this program.
private struct Account {
    var uid: UInt32
    var gid: UInt32
    /// The name, where the machine knows one.
    var name: String?

    static func current() -> Account {
        let uid = getuid()
        let entry = getpwuid(uid)
        return Account(uid: uid, gid: getgid(), name: entry.flatMap { $0.pointee.pw_name }.map { String(cString: $0) })
    }
}

/// newuidmap or newgidmap, while it writes the map of a process.
private final class MapProgram {
    private let name: String
    private let words: Descriptor
    private var process: pid_t = 0

    /// Starts the program.
    init(_ name: String, process: pid_t, map: [IDMaps.Range]) throws(UserNamespaceError) {
        self.name = name
        words = Descriptor(swb_memory_file(name))
        let searchPath = getenv("PATH").map { String(cString: $0) } ?? ""
        guard let path = UserNamespace.program(name, searchPath: searchPath) else { throw .programMissing(name) }
        let numbers = map.flatMap { ["\($0.inside)", "\($0.outside)", "\($0.count)"] }
        let failure = Self.spawn(path, [name, "\(process)"] + numbers, output: words.number, &self.process)
        guard failure == 0 else { throw .programFailed(name, Errno(rawValue: failure)) }
    }

    /// Waits for its end.
    func finish() throws(UserNamespaceError) {
        var status: CInt = 0
        while waitpid(process, &status, 0) < 0 {
            guard errno == EINTR else { throw .programFailed(name, Errno(rawValue: errno)) }
        }
        process = 0
        guard status != 0 else { return }
        lseek(words.number, 0, SEEK_SET)
        let said = String(decoding: SmallFile.read(words) ?? [], as: UTF8.self)
        let line = said.split(separator: "\n").last.map(String.init) ?? "status \(status)"
        let prefix = "\(name): "
        throw .refused(program: name, message: line.hasPrefix(prefix) ? String(line.dropFirst(prefix.count)) : line)
    }

    deinit {
        if process > 0 { waitpid(process, nil, 0) }
    }

    private static func spawn(_ path: String, _ words: [String], output: CInt, _ process: inout pid_t) -> CInt {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, output, 2)
        let arena = Arena()
        return posix_spawn(&process, path, &actions, nil, arena.strings(words), arena.strings(["LC_ALL=C"]))
    }
}
