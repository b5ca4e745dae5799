import CShims
import Glibc
import SystemPackage

/// Does for a step in a user namespace what the kernel refuses there: device nodes, and owners that are not mapped.
///
/// What a file cannot be is written on it as a mark, from which the layer is made. Symbolic links and pipes take no
/// marks: their owners are recorded here, by inode.
public final class OwnershipSupervisor: CallSupervisor {
    /// What is done for the step.
    public struct Scope: Sendable, Hashable {
        /// Whether owners are marks: one id alone is mapped.
        public var marksOwners: Bool
        /// Whether device nodes may be made.
        public var makesDevices: Bool
        /// Whether there may be placeholders of device nodes that the step is to see as devices.
        public var showsDevices: Bool
        /// The user that the step would be.
        public var credentials: Credentials
        /// Whether set-user-ID programs give those who run them nothing more.
        public var noNewPrivileges = false
        /// The owners of links and pipes of the layers, by inode, where they are not root's.
        public var linkOwners: [UInt64: FileOwner] = [:]
        /// The step's upper directory.
        public var upperDirectory = ""

        /// A scope of these parts.
        public init(marksOwners: Bool, makesDevices: Bool, showsDevices: Bool, credentials: Credentials) {
            self.marksOwners = marksOwners
            self.makesDevices = makesDevices
            self.showsDevices = showsDevices
            self.credentials = credentials
        }
    }

    let scope: Scope
    let marks: FileMarks
    let processes: PretendedCredentials
    /// When the step's first file can have been made; the kernel takes the times of files from this clock.
    let began: timespec
    let links: LinkOwners
    let upper: UpperFiles

    /// A supervisor for one step.
    public init(_ scope: Scope, marks: FileMarks) {
        self.scope = scope
        self.marks = marks
        traps = Self.traps(scope)
        upper = UpperFiles(scope.upperDirectory)
        links = LinkOwners(ofLayers: scope.linkOwners, upper: upper)
        processes = PretendedCredentials(scope.credentials, pretends: scope.marksOwners)
        began = scope.marksOwners ? Self.nextTick() : timespec()
    }

    /// A moment after whatever was made until now, and not after what is made from now on: file systems tell time by the
    /// kernel's ticks, which are some milliseconds long.
    private static func nextTick() -> timespec {
        var last = timespec()
        var now = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &last)
        repeat {
            usleep(500)
            clock_gettime(CLOCK_REALTIME_COARSE, &now)
        } while now.tv_sec == last.tv_sec && now.tv_nsec == last.tv_nsec
        return now
    }

    /// The owners of links and pipes that the step changed, by inode of the upper directory.
    public var owners: [UInt64: LinkOwner] { links.changes }

    /// What every step of this scope is asked about.
    public static func traps(_ scope: Scope) -> [CallTrap] {
        var names = scope.makesDevices ? ["mknod", "mknodat"] : []
        if scope.showsDevices || scope.marksOwners { names += statNames }
        if scope.marksOwners { names += ownerNames + programNames + PretendedCredentials.names }
        let mayLose = !scope.linkOwners.isEmpty || scope.credentials.uid != 0 || scope.credentials.gid != 0
        if scope.marksOwners, mayLose { names += nameNames }
        return names.isEmpty ? [] : [CallTrap(names)]
    }

    private static let ownerNames = ["chown", "chown32", "lchown", "lchown32", "fchown", "fchown32", "fchownat"]

    /// The same.
    public let traps: [CallTrap]

    /// Without it, device nodes are refused as the kernel refuses them; owners must be heard of.
    public func mayRunUnsupervised(_ error: Errno) -> Bool { !scope.marksOwners }

    /// Answers one of the calls.
    public func answer(_ call: borrowing TrappedCall) -> CallAnswer {
        let files = CallerFiles(thread: call.thread)
        let words = call.arguments
        do throws(Errno) {
            switch call.name {
            case "mknod": return try makeNode(call, files, AT_FDCWD, path: words[0], mode: words[1], device: words[2])
            case "mknodat":
                let directory = Self.int(words[0])
                return try makeNode(call, files, directory, path: words[1], mode: words[2], device: words[3])
            case let name where Self.ownerNames.contains(name): return try changeOwner(call, files)
            case let name where Self.statNames.contains(name):
                return call.isNative ? try status(call, files) : .proceed
            case let name where Self.programNames.contains(name):
                beginProgram(call, files)
                return .proceed
            case let name where Self.nameNames.contains(name):
                keepOwners(call, files)
                return .proceed
            default: return scope.marksOwners ? processes.answer(call) : .proceed
            }
        } catch {
            return .failure(error)
        }
    }

    static func int(_ word: UInt64) -> CInt { CInt(truncatingIfNeeded: word) }
    static func id(_ word: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: word) }
}

// MARK: - Owners

extension OwnershipSupervisor {
    private func changeOwner(_ call: borrowing TrappedCall, _ files: CallerFiles) throws(Errno) -> CallAnswer {
        let words = call.arguments
        let ids: (UInt64, UInt64)
        let file: Descriptor
        switch call.name {
        case "fchown", "fchown32":
            file = try files.file(Self.int(words[0]))
            ids = (words[1], words[2])
        case "fchownat":
            let flags = Self.int(words[4])
            guard let path = files.path(at: words[1]) else { throw .badAddress }
            if path.isEmpty, flags & CInt(CSHIMS_AT_EMPTY_PATH) != 0 {
                file = try files.file(Self.int(words[0]))
            } else {
                let follows = flags & AT_SYMLINK_NOFOLLOW == 0
                file = try files.file(path, from: Self.int(words[0]), followsLast: follows)
            }
            ids = (words[2], words[3])
        default:
            guard let path = files.path(at: words[0]) else { throw .badAddress }
            file = try files.file(path, from: AT_FDCWD, followsLast: call.name.hasPrefix("chown"))
            ids = (words[1], words[2])
        }
        guard call.isWaiting else { return .failure(.interrupted) }
        guard processes.mayAct(call.thread, with: .chown) else { return .failure(.notPermitted) }
        try setOwner(file, uid: Self.id(ids.0), gid: Self.id(ids.1), files)
        return .value(0)
    }

    /// -1 leaves an id as it is, as in chown(2).
    private func setOwner(
        _ file: borrowing Descriptor,
        uid: UInt32,
        gid: UInt32,
        _ files: CallerFiles
    ) throws(Errno) {
        var status = cshims_status()
        guard cshims_status(file.number, "", &status) == 0 else { throw .badFileDescriptor }
        let isInRoot = files.isInRoot(status.device)
        let unknown = FileOwner(uid: scope.credentials.uid, gid: scope.credentials.gid)
        var owner = owner(of: file, files) ?? (isInRoot ? .root : unknown)
        // The kernel does what a change of owner does besides: it takes set-user-ID bits and capabilities away.
        let flags = CInt(CSHIMS_AT_EMPTY_PATH)
        let done = fchownat(file.number, "", uid == .max ? .max : 0, gid == .max ? .max : 0, flags)
        guard done == 0 else { throw Errno(rawValue: errno) }
        let kind = mode_t(status.mode) & S_IFMT
        let takesMarks = kind == S_IFREG || kind == S_IFDIR
        if uid != .max { owner.uid = uid }
        if gid != .max { owner.gid = gid }
        guard takesMarks else {
            if isInRoot { try links.set(owner, of: file) }
            return
        }
        try Self.set(marks.owner(owner), on: file)
    }

    private static func set(_ mark: FileMarks.Mark, on file: borrowing Descriptor) throws(Errno) {
        let number = file.number
        let result = mark.value.withUnsafeBytes { bytes in
            bytes.baseAddress.map { swb_set_attribute(number, mark.name, $0, bytes.count) } ?? 0
        }
        guard result == 0 else { throw Errno(rawValue: -result) }
    }

    /// The owner that the file's mark names.
    func markedOwner(_ file: borrowing Descriptor) -> FileOwner? {
        Self.attribute(marks.owner(.root).name, of: file).flatMap(marks.readOwner)
    }

    /// What is recorded of a link or a pipe.
    func recordedOwner(_ file: borrowing Descriptor, isInRoot: (UInt64) -> Bool) -> FileOwner? {
        guard !links.isEmpty else { return nil }
        var status = cshims_status()
        guard cshims_status(file.number, "", &status) == 0 else { return nil }
        // Others take marks, and may have the number of a link that is gone.
        let kind = mode_t(status.mode) & S_IFMT
        guard kind == S_IFLNK || kind == S_IFIFO, let owner = links.owner(of: file, status) else { return nil }
        return isInRoot(status.device) ? owner : nil
    }

    static func attribute(_ name: String, of file: borrowing Descriptor) -> [UInt8]? {
        attribute(name, ofFile: file.number)
    }

    static func attribute(_ name: String, ofFile number: CInt) -> [UInt8]? {
        var length = 0
        let value = [UInt8](unsafeUninitializedCapacity: 256) { buffer, count in
            length = swb_get_attribute(number, name, buffer.baseAddress, buffer.count)
            count = max(0, length)
        }
        return length >= 0 ? value : nil
    }
}

// MARK: - Device nodes

extension OwnershipSupervisor {
    private func makeNode(
        _ call: borrowing TrappedCall,
        _ files: CallerFiles,
        _ directory: CInt,
        path address: UInt64,
        mode: UInt64,
        device word: UInt64
    ) throws(Errno) -> CallAnswer {
        let mode = mode_t(truncatingIfNeeded: mode)
        let kind = mode & S_IFMT
        // mknod(2) takes the number as the kernel's new_encode_dev makes it.
        let (major, minor) = (UInt32(word >> 8 & 0xfff), UInt32(word & 0xff | word >> 12 & 0xfff00))
        guard kind == S_IFCHR || kind == S_IFBLK, major != 0 || minor != 0 else { return .proceed }
        guard processes.mayAct(call.thread, with: [.mknod, .dacOverride]) else { return .failure(.notPermitted) }
        guard let path = files.path(at: address), !path.isEmpty else { throw .noSuchFileOrDirectory }
        let (parent, name) = Self.split(path)
        let place = try files.file(parent, from: directory, followsLast: true)
        guard call.isWaiting else { return .failure(.interrupted) }
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let text = name.map { CChar(bitPattern: $0) } + [0]
        let number = openat(place.number, text, flags, 0o600)
        guard number >= 0 else { throw Errno(rawValue: errno) }
        let file = Descriptor(number)
        let block = kind == S_IFBLK
        do throws(Errno) {
            try Self.set(marks.device(.init(isBlockDevice: block, major: major, minor: minor)), on: file)
            let mode = mode & 0o7777 & ~processes.mask(of: call.thread)
            guard fchmod(file.number, mode) == 0 else { throw Errno(rawValue: errno) }
        } catch {
            _ = unlinkat(place.number, text, 0)
            throw error
        }
        return .value(0)
    }

    /// The directory and the last name of a path.
    private static func split(_ path: [UInt8]) -> (parent: [UInt8], name: [UInt8]) {
        guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else { return ([UInt8(ascii: ".")], path) }
        return (slash == 0 ? [UInt8(ascii: "/")] : Array(path[..<slash]), Array(path[(slash + 1)...]))
    }
}
