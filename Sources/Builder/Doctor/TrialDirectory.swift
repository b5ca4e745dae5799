import Exec
import Glibc
import LayerDiff
import OCI
import Store
import SystemPackage

/// A directory in which things are tried, on the file system of the state directory.
struct TrialDirectory {
    /// Its name, or that of the directory it was to be in.
    private let path: String
    /// Where things are made: a path that nobody else can lead elsewhere.
    private let place: String
    /// Why there is none.
    private let failure: Int32

    /// Makes one, in the state directory or the nearest directory above it, hands it to `body`, and removes it.
    static func use(near stateDirectory: String, _ body: (TrialDirectory) -> Void) {
        var parent = stateDirectory
        while !HostFile.exists(parent), let slash = parent.lastIndex(of: "/") {
            parent = slash == parent.startIndex ? "/" : String(parent[..<slash])
        }
        var name = Array("\(parent == "/" ? "" : parent)/.swbuild-doctor-XXXXXX".utf8CString)
        guard mkdtemp(&name) != nil else { return body(TrialDirectory(without: parent, errno)) }
        let path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let held = try? PrivateDirectory(holding: path) else {
            return body(TrialDirectory(without: parent, EPERM))
        }
        body(TrialDirectory(path: path, place: held.place, failure: 0))
        held.remove()
    }

    private init(path: String, place: String, failure: Int32) {
        self.path = path
        self.place = place
        self.failure = failure
    }

    private init(without parent: String, _ failure: Int32) {
        self.init(path: parent, place: parent, failure: failure)
    }

    // MARK: The disk

    func disk(_ stateDirectory: String) -> MachineFacts.Disk {
        var disk = MachineFacts.Disk()
        disk.path = stateDirectory
        var system = statvfs()
        if statvfs(place, &system) == 0 {
            // A file system made by a user (FUSE) may claim any size.
            let (free, isMore) = UInt64(system.f_bavail).multipliedReportingOverflow(by: UInt64(system.f_frsize))
            disk.freeBytes = isMore ? .max : free
            disk.freeInodes = system.f_files == 0 ? nil : UInt64(system.f_favail)
        }
        disk.type = type()
        guard failure == 0 else {
            disk.writing = .failed(failure)
            return disk
        }
        disk.writing = trial(mkdir("\(place)/entry", 0o700))
        disk.hasTypes = hasTypes()
        disk.userAttributes = attribute("user.swbuild")
        disk.trustedAttributes = geteuid() == 0 ? attribute("trusted.swbuild") : .notTried
        disk.whiteouts = trial(mknod("\(place)/whiteout", S_IFCHR, 0))
        return disk
    }

    /// The name of the file system, from the mount whose place is the longest beginning of the path (proc(5), mountinfo).
    private func type() -> String {
        var best = (length: -1, type: "")
        for line in MachineLook(searchPath: "").lines("/proc/self/mountinfo") {
            let fields = line.split(separator: " ").map(String.init)
            guard let dash = fields.firstIndex(of: "-"), fields.count > dash + 1, fields.count > 4 else { continue }
            let point = fields[4]
            let isAbove = point == "/" || path == point || path.hasPrefix(point + "/")
            if isAbove, point.utf8.count >= best.length { best = (point.utf8.count, fields[dash + 1]) }
        }
        return best.type
    }

    private func hasTypes() -> Bool {
        guard let stream = opendir(place) else { return false }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let type = Int(entry.pointee.d_type)
            let isDot = entry.pointee.d_name.0 == CChar(bitPattern: UInt8(ascii: "."))
            if !isDot { return type != Int(DT_UNKNOWN) }
        }
        return false
    }

    private func attribute(_ name: String) -> MachineFacts.Trial {
        MachineFacts.Trial(KernelTrial.setAttribute(name, of: "\(place)/entry"))
    }

    private func trial(_ result: CInt) -> MachineFacts.Trial { result == 0 ? .worked : .failed(errno) }

    // MARK: Namespaces

    func tryNamespaces(_ facts: inout MachineFacts) {
        if facts.isRoot {
            let plain = attempt("plain", inUserNamespace: false)
            facts.namespaces.others = MachineFacts.Trial(plain.others)
            facts.namespaces.overlay = MachineFacts.Trial(plain.overlay)
            facts.namespaces.imageOverlay = imageOverlay()
        }
        let mapped = attempt("mapped", inUserNamespace: true)
        facts.namespaces.user = MachineFacts.Trial(mapped.user)
        facts.namespaces.idMap = MachineFacts.Trial(mapped.idMap)
        facts.namespaces.userOverlay = MachineFacts.Trial(mapped.overlay)
        if !facts.isRoot { facts.namespaces.others = MachineFacts.Trial(mapped.others) }
    }

    /// An overlay on an EROFS image in a file.
    private func imageOverlay() -> MachineFacts.Trial {
        let (directory, path) = ("\(place)/image", "\(place)/image.erofs")
        guard failure == 0, mkdir(directory, 0o700) == 0 else { return .notTried }
        let raw = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard raw >= 0 else { return .notTried }
        let file = OwnedDescriptor(owning: raw, path: path)
        guard (try? ErofsMount.writeEmptyImage(file)) != nil else { return .notTried }
        do throws(FileError) {
            let mount = try ErofsMount(file)
            return withExtendedLifetime(mount) {
                MachineFacts.Trial(KernelTrial.overlay(above: mount.path, directory: directory))
            }
        } catch {
            return .failed(error.errno.rawValue)
        }
    }

    private func attempt(_ name: String, inUserNamespace: Bool) -> KernelTrial.Namespaces {
        let directory = "\(place)/\(name)"
        guard failure == 0, mkdir(directory, 0o700) == 0 else { return KernelTrial.Namespaces() }
        return KernelTrial.namespaces(inUserNamespace: inUserNamespace, directory: directory)
    }
}

extension MachineFacts.Trial {
    /// What an error number says, `nil` where there is none.
    fileprivate init(_ code: Int32?) {
        switch code {
        case 0: self = .worked
        case let code?: self = .failed(code)
        case nil: self = .notTried
        }
    }
}
