import Synchronization
import SystemPackage

@testable import Exec

/// A tree of cgroups in memory that follows the rules of version 2 as far as it needs to, and notes what is done to it.
final class FakeCgroups: CgroupFiles {
    private struct State {
        var files: [String: String] = [:]
        var directories: Set<String> = []
        var locked: Set<String> = []
        var readOnly: Set<String> = []
        var refused: [String: Errno] = [:]
        var log: [String] = []
    }

    private let state = Mutex(State())
    /// The process that writes.
    private let process: Int32

    init(process: Int32 = 100) { self.process = process }

    /// What was made, written and removed, in order: `mkdir PATH`, `PATH = VALUE`, `rmdir PATH`.
    var log: [String] { state.withLock { $0.log } }

    func hasDirectory(_ path: String) -> Bool { state.withLock { $0.directories.contains(path) } }

    /// Adds a cgroup of version 2 with controllers, those that it hands on, and processes.
    func addUnified(_ path: String, controllers: String, enabled: String = "", processes: [Int32] = []) {
        state.withLock { state in
            state.directories.insert(path)
            state.files["\(path)/cgroup.controllers"] = controllers + "\n"
            state.files["\(path)/cgroup.subtree_control"] = enabled + "\n"
            state.files["\(path)/cgroup.procs"] = processes.map { "\($0)\n" }.joined()
        }
    }

    func addDirectory(_ path: String, files: [String: String] = [:]) {
        state.withLock { state in
            state.directories.insert(path)
            for (name, text) in files { state.files["\(path)/\(name)"] = text }
        }
    }

    func lock(_ path: String) { state.withLock { _ = $0.locked.insert(path) } }

    /// Nothing can be made in a directory, or written to its files.
    func protect(_ path: String) { state.withLock { _ = $0.readOnly.insert(path) } }

    /// Writing to a file of this name fails.
    func refuse(_ name: String, with errno: Errno) { state.withLock { $0.refused[name] = errno } }

    // MARK: - CgroupFiles

    func read(_ path: String) throws(Errno) -> String {
        guard let text = state.withLock({ $0.files[path] }) else { throw Errno.noSuchFileOrDirectory }
        return text
    }

    func write(_ text: String, to path: String) throws(Errno) {
        let (directory, name) = Self.split(path)
        let problem: Errno? = state.withLock { state in
            guard state.directories.contains(directory) else { return .noSuchFileOrDirectory }
            if state.readOnly.contains(directory) { return .permissionDenied }
            if let refused = state.refused[name] { return refused }
            switch name {
            case "cgroup.subtree_control":
                // The root may have both; the fake's root is the directory without a slash after the first.
                let processes = state.files["\(directory)/cgroup.procs"] ?? ""
                if !processes.isEmpty, directory != "/cg" { return .resourceBusy }
                let enabled = (state.files[path] ?? "").split(whereSeparator: \.isWhitespace).map(String.init)
                state.files[path] = (enabled + [String(text.dropFirst())]).joined(separator: " ") + "\n"
            case "cgroup.procs":
                let moved = text == "0" ? "\(process)" : text
                for (other, processes) in state.files where other.hasSuffix("/cgroup.procs") {
                    state.files[other] = processes.split(separator: "\n").filter { $0 != moved }
                        .map { "\($0)\n" }.joined()
                }
                state.files[path] = (state.files[path] ?? "") + "\(moved)\n"
            default: state.files[path] = text
            }
            state.log.append("\(path) = \(text)")
            return nil
        }
        if let problem { throw problem }
    }

    func makeDirectory(_ path: String) throws(Errno) {
        let problem: Errno? = state.withLock { state in
            if state.directories.contains(path) { return .fileExists }
            let parent = Self.split(path).directory
            if state.readOnly.contains(parent) { return .permissionDenied }
            guard state.directories.contains(parent) else { return .noSuchFileOrDirectory }
            state.directories.insert(path)
            state.log.append("mkdir \(path)")
            // What is handed on, the child has.
            if let enabled = state.files["\(parent)/cgroup.subtree_control"] {
                state.files["\(path)/cgroup.controllers"] = enabled
                state.files["\(path)/cgroup.subtree_control"] = "\n"
                state.files["\(path)/cgroup.procs"] = ""
            }
            if state.files["\(parent)/cpuset.cpus"] != nil {
                state.files["\(path)/cpuset.cpus"] = "\n"
                state.files["\(path)/cpuset.mems"] = "\n"
            }
            return nil
        }
        if let problem { throw problem }
    }

    func removeDirectory(_ path: String) throws(Errno) {
        let problem: Errno? = state.withLock { state in
            guard state.directories.contains(path) else { return .noSuchFileOrDirectory }
            if state.directories.contains(where: { $0.hasPrefix(path + "/") }) { return .resourceBusy }
            state.directories.remove(path)
            state.log.append("rmdir \(path)")
            return nil
        }
        if let problem { throw problem }
    }

    func directories(in path: String) throws(Errno) -> [String] {
        state.withLock { state in
            state.directories.filter { Self.split($0).directory == path }.map { Self.split($0).name }.sorted()
        }
    }

    func checkWritable(_ path: String) throws(Errno) {
        if state.withLock({ $0.readOnly.contains(path) }) { throw Errno.permissionDenied }
    }

    func claim(_ path: String) throws(Errno) -> CgroupClaim? {
        // Nobody in these tests lets go of one, and a second lock of one process is refused as another's is.
        state.withLock { $0.locked.insert(path).inserted } ? CgroupClaim(owning: -1) : nil
    }

    private static func split(_ path: String) -> (directory: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return ("", path) }
        return (String(path[..<slash]), String(path[path.index(after: slash)...]))
    }
}
