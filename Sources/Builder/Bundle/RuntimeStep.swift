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
    init(_ runtime: ContainerRuntime, _ plan: inout SandboxPlan, filter: SeccompRules?, work: WorkDirectory) throws {
        self.runtime = runtime
        container = "swbuild-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        log = work.unique("runtime-log")
        let split = try Self.split(plan.mounts)
        plan.mounts = split.own
        let spec = RuntimeSpec(
            plan: plan,
            rootPath: plan.runtimeRoot,
            makesNetwork: false,
            filter: plan.isPrivileged ? nil : filter,
            furtherMounts: split.runtimes,
            cgroup: "/\(container)"
        )
        plan.runtime = SandboxPlan.Runtime(
            program: runtime.path,
            container: container,
            configuration: try spec.json().encoded(),
            log: log
        )
    }

    /// Mounts that swbuild makes in the root, and those for places that the runtime itself mounts something over.
    private static func split(
        _ mounts: [SandboxPlan.Mount]
    ) throws -> (own: [SandboxPlan.Mount], runtimes: [SandboxPlan.SystemMount]) {
        var own: [SandboxPlan.Mount] = []
        var runtimes: [SandboxPlan.SystemMount] = []
        for mount in mounts {
            let system = MountPointStubs.systemMounts
            guard system.contains(where: { mount.target == $0 || mount.target.hasPrefix("\($0)/") }) else {
                own.append(mount)
                continue
            }
            guard case .tmpfs(let size, let mode) = mount.kind else {
                throw RuntimeLimit(what: "the mount at \(mount.target), which is inside a file system of the kernel's")
            }
            let options = ["nosuid", "nodev", "mode=\(String(mode, radix: 8))"] + (size.map { ["size=\($0)"] } ?? [])
            runtimes.append(SandboxPlan.SystemMount(type: "tmpfs", target: mount.target, options: options))
        }
        return (own, runtimes)
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
