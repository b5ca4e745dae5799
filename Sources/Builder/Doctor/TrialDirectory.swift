import Exec
import Glibc
import LayerDiff
import OCI
import Store

/// A directory in which things are tried, on the file system of the state directory.
struct TrialDirectory {
    private let path: String
    /// Why there is none.
    private let failure: Int32

    /// Makes one, in the state directory or the nearest directory above it, hands it to `body`, and removes it.
    static func use(near stateDirectory: String, _ body: (TrialDirectory) -> Void) {
        var parent = stateDirectory
        while !HostFile.exists(parent), let slash = parent.lastIndex(of: "/") {
            parent = slash == parent.startIndex ? "/" : String(parent[..<slash])
        }
        var name = Array("\(parent == "/" ? "" : parent)/.swbuild-doctor-XXXXXX".utf8CString)
        guard mkdtemp(&name) != nil else { return body(TrialDirectory(path: parent, failure: errno)) }
        let path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        body(TrialDirectory(path: path, failure: 0))
        removeTree(path)
    }

    // MARK: The disk

    func disk(_ stateDirectory: String) -> MachineFacts.Disk {
        var disk = MachineFacts.Disk()
        disk.path = stateDirectory
        var system = statvfs()
        if statvfs(path, &system) == 0 {
            disk.freeBytes = UInt64(system.f_bavail) * UInt64(system.f_frsize)
            disk.freeInodes = system.f_files == 0 ? nil : UInt64(system.f_favail)
        }
        disk.type = type()
        guard failure == 0 else {
            disk.writing = .failed(failure)
            return disk
        }
        disk.writing = trial(mkdir("\(path)/entry", 0o700))
        disk.hasTypes = hasTypes()
        disk.userAttributes = attribute("user.swbuild")
        disk.trustedAttributes = geteuid() == 0 ? attribute("trusted.swbuild") : .notTried
        disk.whiteouts = trial(mknod("\(path)/whiteout", S_IFCHR, 0))
        return disk
    }

    /// The name of the file system, from the mount whose place is the longest beginning of the path (proc(5), mountinfo).
    private func type() -> String {
        var best = (length: -1, type: "")
        for line in MachineLook(searchPath: "").lines("/proc/self/mountinfo") {
            let fields = line.split(separator: " ").map(String.init)
            guard let dash = fields.firstIndex(of: "-"), fields.count > dash + 1, fields.count > 4 else { continue }
            let place = fields[4]
            let isAbove = place == "/" || path == place || path.hasPrefix(place + "/")
            if isAbove, place.utf8.count >= best.length { best = (place.utf8.count, fields[dash + 1]) }
        }
        return best.type
    }

    private func hasTypes() -> Bool {
        guard let stream = opendir(path) else { return false }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let type = Int(entry.pointee.d_type)
            let isDot = entry.pointee.d_name.0 == CChar(bitPattern: UInt8(ascii: "."))
            if !isDot { return type != Int(DT_UNKNOWN) }
        }
        return false
    }

    private func attribute(_ name: String) -> MachineFacts.Trial {
        MachineFacts.Trial(KernelTrial.setAttribute(name, of: "\(path)/entry"))
    }

    private func trial(_ result: CInt) -> MachineFacts.Trial { result == 0 ? .worked : .failed(errno) }

    // MARK: Namespaces

    func tryNamespaces(_ facts: inout MachineFacts) {
        if facts.isRoot {
            let plain = attempt("plain", inUserNamespace: false)
            facts.namespaces.others = MachineFacts.Trial(plain.others)
            facts.namespaces.overlay = MachineFacts.Trial(plain.overlay)
        }
        let mapped = attempt("mapped", inUserNamespace: true)
        facts.namespaces.user = MachineFacts.Trial(mapped.user)
        facts.namespaces.idMap = MachineFacts.Trial(mapped.idMap)
        facts.namespaces.userOverlay = MachineFacts.Trial(mapped.overlay)
        if !facts.isRoot { facts.namespaces.others = MachineFacts.Trial(mapped.others) }
    }

    private func attempt(_ name: String, inUserNamespace: Bool) -> KernelTrial.Namespaces {
        let place = "\(path)/\(name)"
        guard failure == 0, mkdir(place, 0o700) == 0 else { return KernelTrial.Namespaces() }
        return KernelTrial.namespaces(inUserNamespace: inUserNamespace, directory: place)
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
