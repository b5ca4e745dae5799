import CShims
import Glibc
import Synchronization
import SystemPackage

/// The users and groups that a step's processes believe to be, where one id alone is mapped: they stay what they are.
///
/// A process that has not asked for a change is what its parent is.
final class PretendedCredentials: Sendable {
    /// The calls that are answered here.
    ///
    /// Those with `32` are of 32-bit interfaces.
    static let names = base + base.map { "\($0)32" }

    private static let base = [
        "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid",
        "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups",
    ]

    /// Real, effective and saved ids.
    struct Identity: Hashable {
        var users: [UInt32]
        var groups: [UInt32]
        var supplementary: [UInt32]

        init(_ credentials: Credentials) {
            users = .init(repeating: credentials.uid, count: 3)
            groups = .init(repeating: credentials.gid, count: 3)
            supplementary = credentials.supplementaryGroups
        }
    }

    /// A process: a number may be given again, but not with the same beginning.
    private struct Process: Hashable {
        var number: pid_t
        var began: UInt64
    }

    private let first: Identity
    private let pretends: Bool
    private let changed = Mutex<[Process: Identity]>([:])

    /// The processes of a step that runs as `credentials`, or only believes to.
    init(_ credentials: Credentials, pretends: Bool) {
        first = Identity(credentials)
        self.pretends = pretends
    }

    /// What execve(2) of a set-user-ID or set-group-ID program makes of a thread's process.
    func execute(_ thread: pid_t, user: UInt32?, group: UInt32?) {
        let before = identity(of: thread)
        var after = before
        if let user { after.users = [before.users[0], user, user] }
        if let group { after.groups = [before.groups[0], group, group] }
        if after != before { set(after, for: thread) }
    }

    /// Whether a thread has capabilities, and its process does not believe to be somebody else than root.
    func mayAct(_ thread: pid_t, with capabilities: CapabilitySet) -> Bool {
        guard let status = ProcessStatus(thread), status.capabilities.isSuperset(of: capabilities) else { return false }
        return !pretends || identity(of: thread).users[1] == 0
    }

    /// The file mode creation mask of a thread.
    func mask(of thread: pid_t) -> mode_t {
        ProcessStatus(thread)?.mask ?? 0o022
    }

    // MARK: Who is who

    private func identity(of thread: pid_t) -> Identity {
        let table = changed.withLock { $0 }
        guard !table.isEmpty else { return first }
        var number = thread
        // Process 1 of the step is at the end of each line of parents; the limit is for lines that change meanwhile.
        for _ in 0..<256 {
            guard let status = ProcessStatus(number), let began = status.began else { return first }
            if let found = table[Process(number: status.process, began: began)] { return found }
            guard status.parent > 0 else { return first }
            number = status.parent
        }
        return first
    }

    private func set(_ identity: Identity, for thread: pid_t) {
        guard let status = ProcessStatus(thread), let began = status.began else { return }
        changed.withLock { table in
            if table.count > 10_000 {
                table = table.filter { ProcessStatus($0.key.number)?.began == $0.key.began }
            }
            table[Process(number: status.process, began: began)] = identity
        }
    }

    // MARK: Calls

    func answer(_ call: borrowing TrappedCall) -> CallAnswer {
        let name = call.name.hasSuffix("32") ? String(call.name.dropLast(2)) : call.name
        var identity = identity(of: call.thread)
        let words = call.arguments
        switch name {
        case "getuid": return .value(Int64(identity.users[0]))
        case "geteuid": return .value(Int64(identity.users[1]))
        case "getgid": return .value(Int64(identity.groups[0]))
        case "getegid": return .value(Int64(identity.groups[1]))
        case "getresuid": return write(identity.users, to: call)
        case "getresgid": return write(identity.groups, to: call)
        case "getgroups": return groups(identity.supplementary, call)
        case "setgroups": return setGroups(&identity, call)
        case "setfsuid": return .value(Int64(identity.users[1]))
        case "setfsgid": return .value(Int64(identity.groups[1]))
        default: break
        }
        let isRoot = identity.users[1] == 0
        let ids = words.prefix(3).map { UInt32(truncatingIfNeeded: $0) }
        let isUser = name.hasSuffix("uid")
        let before = isUser ? identity.users : identity.groups
        guard let after = Self.changed(before, by: name, ids, isRoot: isRoot) else { return .failure(.notPermitted) }
        if isUser { identity.users = after } else { identity.groups = after }
        set(identity, for: call.thread)
        return .value(0)
    }

    /// What setuid(2), setreuid(2) and setresuid(2) make of three ids; `nil` where they refuse.
    static func changed(_ ids: [UInt32], by name: String, _ words: [UInt32], isRoot: Bool) -> [UInt32]? {
        let kept = UInt32.max
        func may(_ id: UInt32) -> Bool { id == kept || isRoot || ids.contains(id) }
        var after = ids
        switch name {
        case "setuid", "setgid":
            guard words[0] != kept, may(words[0]) else { return nil }
            return isRoot ? [words[0], words[0], words[0]] : [ids[0], words[0], ids[2]]
        case "setreuid", "setregid":
            guard may(words[0]), may(words[1]) else { return nil }
            if words[0] != kept { after[0] = words[0] }
            if words[1] != kept { after[1] = words[1] }
            // The saved id follows where the real one is set, or the effective one to something else than the real one.
            if words[0] != kept || words[1] != kept && words[1] != ids[0] { after[2] = after[1] }
            return after
        default:
            guard words.allSatisfy(may) else { return nil }
            for (index, word) in words.enumerated() where word != kept { after[index] = word }
            return after
        }
    }

    private func write(_ ids: [UInt32], to call: borrowing TrappedCall) -> CallAnswer {
        for (index, id) in ids.enumerated() {
            guard put([id], at: call.arguments[index], of: call) else { return .failure(.badAddress) }
        }
        return .value(0)
    }

    private func groups(_ ids: [UInt32], _ call: borrowing TrappedCall) -> CallAnswer {
        let room = CInt(truncatingIfNeeded: call.arguments[0])
        if room == 0 { return .value(Int64(ids.count)) }
        guard room >= ids.count else { return .failure(.invalidArgument) }
        return put(ids, at: call.arguments[1], of: call) ? .value(Int64(ids.count)) : .failure(.badAddress)
    }

    private func setGroups(_ identity: inout Identity, _ call: borrowing TrappedCall) -> CallAnswer {
        guard identity.users[1] == 0 else { return .failure(.notPermitted) }
        let count = Int(CInt(truncatingIfNeeded: call.arguments[0]))
        // NGROUPS_MAX of linux/limits.h.
        guard (0...65536).contains(count) else { return .failure(.invalidArgument) }
        var ids = [UInt32](repeating: 0, count: count)
        let size = count * MemoryLayout<UInt32>.size
        if size > 0 {
            let got = ids.withUnsafeMutableBytes { bytes in
                bytes.baseAddress.map { swb_read_memory(call.thread, call.arguments[1], $0, size) } ?? 0
            }
            guard got == size, call.isWaiting else { return .failure(.badAddress) }
        }
        identity.supplementary = ids
        set(identity, for: call.thread)
        return .value(0)
    }

    private func put(_ ids: [UInt32], at address: UInt64, of call: borrowing TrappedCall) -> Bool {
        guard call.isWaiting else { return false }
        if ids.isEmpty { return true }
        let (thread, size) = (call.thread, ids.count * MemoryLayout<UInt32>.size)
        return ids.withUnsafeBytes { bytes in
            bytes.baseAddress.map { swb_write_memory(thread, address, $0, size) == size } ?? false
        }
    }
}

/// What procfs says of a thread (proc(5)).
private struct ProcessStatus {
    var process: pid_t = 0
    var parent: pid_t = 0
    var mask: mode_t = 0o022
    var capabilities: CapabilitySet = []
    let thread: pid_t

    init?(_ thread: pid_t) {
        guard let text = SmallFile.read("/proc/\(thread)/status") else { return nil }
        self.thread = thread
        for line in text.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: " ") }
                .map { String(decoding: $0, as: UTF8.self) }
            guard fields.count > 1 else { continue }
            switch fields[0] {
            case "Tgid": process = pid_t(fields[1]) ?? 0
            case "PPid": parent = pid_t(fields[1]) ?? 0
            case "Umask": mask = mode_t(fields[1], radix: 8) ?? 0o022
            case "CapEff": capabilities = CapabilitySet(rawValue: UInt64(fields[1], radix: 16) ?? 0)
            default: break
            }
        }
    }

    /// When the process began, in the kernel's ticks.
    var began: UInt64? {
        // The second field is a name in parentheses, with whatever in it; the 22nd is the 20th behind it.
        guard let text = SmallFile.read("/proc/\(process)/stat"), let end = text.lastIndex(of: UInt8(ascii: ")")) else {
            return nil
        }
        let fields = text[(end + 1)...].split(separator: UInt8(ascii: " "))
        return fields.count > 19 ? UInt64(String(decoding: fields[19], as: UTF8.self)) : nil
    }
}
