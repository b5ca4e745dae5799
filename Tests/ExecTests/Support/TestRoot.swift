import Exec
import Glibc
import Synchronization
import SystemPackage
import Testing

/// A directory with a root file system made of busybox, and everything a plan needs to run in it.
///
/// Gone with the value.
final class TestRoot: Sendable {
    let directory: String
    private let isOwner: Bool
    private let steps = Atomic<Int>(0)

    private static let applets = [
        "sh", "cat", "chmod", "chown", "chroot", "cp", "cut", "dd", "echo", "env", "false", "grep", "head", "hostname",
        "id", "ifconfig", "kill", "ln", "ls", "mkdir", "mknod", "mount", "mv", "nc", "nohup", "ps", "pwd", "readlink",
        "rm", "rmdir", "setsid", "sleep", "sort", "stat", "su", "tail", "test", "touch", "tr", "true", "umount",
        "unshare", "wc", "yes", "xargs",
    ]

    init() throws {
        var template = Array("/tmp/swbuild-exec.XXXXXX".utf8CString)
        let made: String? = template.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, mkdtemp(base) != nil else { return nil }
            return String(cString: base)
        }
        directory = try #require(made)
        isOwner = true
        chmod(directory, 0o755)
        for name in ["base", "base/bin", "base/etc", "base/tmp", "base/proc", "base/sys", "base/dev", "host", "steps"] {
            try makeDirectory(name)
        }
        chmod(path("base/tmp"), 0o1777)
        try copyBusybox(to: path("base/bin/busybox"))
        for applet in Self.applets { try link(to: "busybox", at: "base/bin/\(applet)") }
        try write("root:x:0:0:root:/root:/bin/sh\nbuild:x:1000:1001::/home:/bin/sh\n", to: "base/etc/passwd")
    }

    /// A root that another value, in the process that started this one, has made and will remove.
    init(of directory: String) {
        self.directory = directory
        isOwner = false
    }

    deinit {
        if isOwner { Self.remove(directory) }
    }

    /// A path beneath the directory.
    func path(_ relative: String) -> String { "\(directory)/\(relative)" }

    func makeDirectory(_ relative: String, mode: mode_t = 0o755) throws {
        try #require(mkdir(path(relative), mode) == 0, "mkdir \(relative): \(Errno(rawValue: errno))")
    }

    func link(to text: String, at relative: String) throws {
        try #require(symlink(text, path(relative)) == 0, "symlink \(relative): \(Errno(rawValue: errno))")
    }

    func write(_ text: String, to relative: String) throws {
        let file = try FileDescriptor.open(
            FilePath(path(relative)),
            .writeOnly,
            options: [.create, .truncate],
            permissions: FilePermissions(rawValue: 0o644)
        )
        try file.closeAfter { _ = try file.writeAll(text.utf8) }
    }

    /// The text of a file; nil when it does not exist.
    func read(_ relative: String) -> String? {
        Self.read(path(relative))
    }

    /// The text of a file of the host; nil when it cannot be read.
    static func read(_ path: String) -> String? {
        let number = open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return nil }
        defer { close(number) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = Glibc.read(number, &buffer, buffer.count), count > 0 { text += buffer[..<count] }
        return String(decoding: text, as: UTF8.self)
    }

    /// The names in a directory of the host, sorted.
    static func names(in path: String) -> [String] {
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// The children of this process that are process 1 of a prepared sandbox.
    static func sandboxes() -> Set<String> {
        let own = getpid()
        return Set(
            names(in: "/proc").filter { name in
                guard let status = read("/proc/\(name)/status") else { return false }
                return status.contains("PPid:\t\(own)\n") && status.contains("Name:\tinit\n")
            }
        )
    }

    /// Where the changes of the step with this number are.
    func upper(_ step: Int) -> String { path("steps/\(step)/upper") }

    /// A fresh upper and work directory: the number of a step.
    func newStep() throws -> Int {
        let step = steps.add(1, ordering: .relaxed).newValue
        try makeDirectory("steps/\(step)")
        try makeDirectory("steps/\(step)/upper")
        try makeDirectory("steps/\(step)/work")
        return step
    }

    /// A plan for a command in this root, over the base alone or with layers above it.
    func plan(arguments: [String], layers: [String] = []) throws -> SandboxPlan {
        let step = try newStep()
        return SandboxPlan(
            root: .init(
                lowerDirectories: layers.map(path) + [path("base")],
                upperDirectory: upper(step),
                workDirectory: path("steps/\(step)/work")
            ),
            hostname: "sandbox",
            arguments: arguments,
            environment: ["PATH=/bin"]
        )
    }

    /// The same plan over directories that no step has used.
    func fresh(_ plan: SandboxPlan) throws -> SandboxPlan {
        let step = try newStep()
        var plan = plan
        plan.root.upperDirectory = upper(step)
        plan.root.workDirectory = path("steps/\(step)/work")
        return plan
    }

    /// A plan for a line of shell.
    func plan(_ script: String, layers: [String] = []) throws -> SandboxPlan {
        try plan(arguments: ["/bin/sh", "-c", script], layers: layers)
    }

    /// A plan for a line of shell with mounts; the mount points are stubs in a lower directory, as the caller makes them.
    func plan(_ script: String, mounts: [SandboxPlan.Mount], stubs: [String]) throws -> SandboxPlan {
        let name = "stubs-\(steps.add(1, ordering: .relaxed).newValue)"
        try makeDirectory(name)
        for stub in stubs {
            if stub.hasSuffix("/") {
                try makeDirectory("\(name)/\(stub.dropLast())")
            } else {
                try write("", to: "\(name)/\(stub)")
            }
        }
        var plan = try plan(script, layers: [name])
        plan.mounts = mounts
        return plan
    }

    private func copyBusybox(to target: String) throws {
        let source = try FileDescriptor.open("/bin/busybox", .readOnly)
        defer { try? source.close() }
        let copy = try FileDescriptor.open(
            FilePath(target),
            .writeOnly,
            options: [.create],
            permissions: FilePermissions(rawValue: 0o755)
        )
        defer { try? copy.close() }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = try buffer.withUnsafeMutableBytes { try source.read(into: $0) }
            if count == 0 { return }
            _ = try copy.writeAll(buffer[..<count])
        }
    }

    private static func remove(_ path: String) {
        if unlink(path) == 0 { return }
        // What a test that failed has left mounted is not to be looked into.
        umount2(path, CInt(MNT_DETACH) | CInt(UMOUNT_NOFOLLOW))
        for name in names(in: path) { remove("\(path)/\(name)") }
        rmdir(path)
    }
}
