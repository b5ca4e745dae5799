import Exec
import Glibc
import LayerDiff
import OCI
import Store

/// A step that another runtime runs: what that one is told, what it says, and what it leaves.
struct RuntimeStep {
    private let runtime: ContainerRuntime
    private let container: String
    private let log: String

    private static let largestLog = 1 << 20

    /// Has a plan's command run by a runtime in place of the sandbox.
    init(_ runtime: ContainerRuntime, _ plan: inout SandboxPlan, _ environment: StepEnvironment) throws {
        guard environment.privilege == .root else { throw RuntimeNeedsRoot(runtime: runtime.name) }
        guard environment.sandbox.cgroupParent == nil else { throw RuntimeLimit(what: "--cgroup-parent") }
        self.runtime = runtime
        container = "swbuild-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        log = environment.work.unique("runtime-log")
        let mounts = try RuntimeMounts(plan.mounts, bundle: plan.runtimeBundle)
        plan.mounts = mounts.own
        // Runtimes fail where this program passes over what it has not got itself.
        plan.capabilities.formIntersection(.held)
        let spec = RuntimeSpec(
            plan: plan,
            rootPath: plan.runtimeRoot,
            makesNetwork: false,
            filter: plan.isPrivileged ? nil : environment.sandbox.filterRules,
            furtherMounts: mounts.runtimes,
            limits: environment.sandbox.limits,
            cgroup: "/\(container)"
        )
        plan.runtime = SandboxPlan.Runtime(
            program: runtime.path,
            container: container,
            configuration: try spec.json().encoded(),
            log: log,
            files: mounts.files
        )
    }

    /// What the runtime says of its own failure; `nil` where it was the command that failed.
    func failure() -> RuntimeFailure? {
        guard let bytes = try? HostFile.read(log, limit: Self.largestLog) else { return nil }
        for line in bytes.split(separator: UInt8(ascii: "\n")).reversed() {
            guard let entry = try? JSONValue(parsing: Array(line), as: "log") else { continue }
            let level = entry["level"]?.string ?? "error"
            guard level == "error" || level == "fatal", let message = entry["msg"]?.string else { continue }
            return RuntimeFailure(runtime: runtime.name, message: message)
        }
        return nil
    }

    /// Removes the cgroups that a runtime leaves which was killed.
    func cleanUp() {
        unlink(log)
        let root = "/sys/fs/cgroup"
        rmdir("\(root)/\(container)")
        let hierarchies = (try? Directory(path: root).list(.root)) ?? []
        for item in hierarchies where item.status.kind == .directory {
            rmdir("\(root)/\(String(decoding: item.name, as: UTF8.self))/\(container)")
        }
    }
}

/// The mounts of a step that a runtime runs: those that swbuild makes in the root, and those for places that the runtime
/// itself mounts something over.
private struct RuntimeMounts {
    var own: [SandboxPlan.Mount] = []
    var runtimes: [SandboxPlan.SystemMount] = []
    /// What the latter show.
    var files: [SandboxPlan.Runtime.File] = []

    init(_ mounts: [SandboxPlan.Mount], bundle: String) throws(RuntimeLimit) {
        for mount in mounts {
            let system = MountPointStubs.systemMounts
            if system.contains(where: { mount.target == $0 || mount.target.hasPrefix("\($0)/") }) {
                try add(mount, bundle: bundle)
            } else {
                own.append(mount)
            }
        }
    }

    private mutating func add(_ mount: SandboxPlan.Mount, bundle: String) throws(RuntimeLimit) {
        var options = ["nosuid", "nodev"]
        switch mount.kind {
        case .tmpfs(let size, let mode):
            options += ["mode=\(String(mode, radix: 8))"] + (size.map { ["size=\($0)"] } ?? [])
            runtimes.append(SandboxPlan.SystemMount(type: "tmpfs", target: mount.target, options: options))
        case .file(let contents, let mode, let uid, let gid, let readOnly):
            let name = "file\(files.count)"
            files.append(.init(name: name, contents: contents, mode: mode, uid: uid, gid: gid))
            options += ["bind"] + (readOnly ? ["ro"] : [])
            let source = "\(bundle)/\(name)"
            runtimes.append(.init(type: "bind", target: mount.target, source: source, options: options))
        default:
            throw RuntimeLimit(what: "the mount at \(mount.target), which is inside a file system of the kernel's")
        }
    }
}

/// A runtime was asked for by somebody who is not root of the machine.
struct RuntimeNeedsRoot: Error, CustomStringConvertible {
    let runtime: String

    var description: String { "--runtime \(runtime) needs root of the machine: call swbuild with sudo" }
}

/// A runtime that could not run a step.
struct RuntimeFailure: Error, CustomStringConvertible {
    let runtime: String
    let message: String

    var description: String { "\(runtime) could not run the command: \(message)" }
}

extension SandboxOptions {
    /// The filter as rules that another runtime can be told; `nil` for none.
    var filterRules: SeccompRules? {
        switch seccomp {
        case .default: .docker(capabilities)
        case .unconfined: nil
        case .profile(let file): file.rules(capabilities)
        }
    }
}
