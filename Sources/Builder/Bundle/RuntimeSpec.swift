import Exec
import OCI

/// The `config.json` of a bundle: how a runtime is told of a sandbox.
///
/// Source: runtime-spec 1.1, config.md and config-linux.md.
struct RuntimeSpec: Sendable, Hashable {
    /// What is run, and how it is confined; its root is not looked at.
    var plan: SandboxPlan
    /// The path of the root file system, absolute or relative to the bundle.
    var rootPath: String
    /// Whether the runtime makes a network namespace; else the container has that of the runtime.
    var makesNetwork = true
    /// Whether the runtime makes a terminal.
    var hasTerminal = false
    /// The system call filter; `nil` for none.
    var filter: SeccompRules?
    /// File systems beside those that every container has.
    var furtherMounts: [SandboxPlan.SystemMount] = []
    /// What it may use of the machine.
    var limits = CgroupLimits()
    /// The path of the cgroup; `nil` for one that the runtime chooses.
    var cgroup: String?
    /// What is known of the image.
    var annotations: [String: String] = [:]

    /// The version of the specification; nothing newer than this is used.
    private static let version = "1.0.2"

    /// The document.
    /// - Throws: ``RuntimeLimit`` where the filter compares with what a document cannot say.
    func json() throws(RuntimeLimit) -> JSONValue {
        var members: [String: JSONValue] = [
            "ociVersion": .string(Self.version), "process": process, "hostname": .string(plan.hostname),
            "root": .object(["path": .string(rootPath), "readonly": .bool(false)]),
            "mounts": .array((plan.systemMounts + furtherMounts).map(Self.mount)), "linux": try linux(),
        ]
        if !annotations.isEmpty { members["annotations"] = .strings(annotations) }
        return .object(members)
    }

    // MARK: The process

    private var process: JSONValue {
        var members: [String: JSONValue] = [
            "terminal": .bool(hasTerminal), "user": user, "args": .strings(plan.arguments),
            "env": .strings(plan.environment), "cwd": .string(plan.workingDirectory), "capabilities": capabilities,
            "rlimits": .array(plan.resourceLimits.map(Self.limit)), "noNewPrivileges": .bool(plan.noNewPrivileges),
        ]
        for label in plan.labels {
            switch label {
            case .appArmor(let profile): members["apparmorProfile"] = .string(profile)
            case .seLinux(let context): members["selinuxLabel"] = .string(context)
            }
        }
        return .object(members)
    }

    private var user: JSONValue {
        .object([
            "uid": .integer(Int64(plan.credentials.uid)), "gid": .integer(Int64(plan.credentials.gid)),
            "additionalGids": .array(plan.credentials.supplementaryGroups.map { .integer(Int64($0)) }),
            "umask": .integer(Int64(plan.umask)),
        ])
    }

    /// Another user than root begins without any, as in this program's own sandbox.
    private var capabilities: JSONValue {
        let all = JSONValue.strings(plan.capabilities.names.map { "CAP_\($0)" })
        let held = plan.credentials.uid == 0 ? all : .array([])
        return .object(["bounding": all, "effective": held, "permitted": held])
    }

    private static func limit(_ limit: ResourceLimit) -> JSONValue {
        // No limit is the largest number, which is beyond what many readers of JSON take. Half of it is as good.
        func value(_ number: UInt64) -> JSONValue { .integer(Int64(clamping: number)) }
        return .object([
            "type": .string("RLIMIT_\(limit.resource.rawValue.uppercased())"), "soft": value(limit.soft),
            "hard": value(limit.hard),
        ])
    }

    // MARK: What it sees

    private static func mount(_ mount: SandboxPlan.SystemMount) -> JSONValue {
        .object([
            "destination": .string(mount.target), "type": .string(mount.type), "source": .string(mount.source),
            "options": .strings(mount.options),
        ])
    }

    private func linux() throws(RuntimeLimit) -> JSONValue {
        let namespaces = ["pid", "ipc", "uts", "mount", "cgroup"] + (makesNetwork ? ["network"] : [])
        var members: [String: JSONValue] = [
            "namespaces": .array(namespaces.map { .object(["type": .string($0)]) }),
            "maskedPaths": .strings(plan.hiddenPaths),
            "readonlyPaths": .strings(plan.isPrivileged ? [] : SandboxPlan.readOnlyPaths), "resources": resources,
        ]
        let devices = plan.furtherDevices
        if !devices.isEmpty { members["devices"] = .array(devices.map(Self.device)) }
        if let cgroup { members["cgroupsPath"] = .string(cgroup) }
        if let filter { members["seccomp"] = try SeccompDocument(rules: filter).json() }
        return .object(members)
    }

    /// The devices that can be opened; those that every container has are added by the runtime.
    private var resources: JSONValue {
        var rules = [JSONValue.object(["allow": .bool(plan.isPrivileged), "access": .string("rwm")])]
        if !plan.isPrivileged {
            rules += plan.furtherDevices.map { device in
                .object([
                    "allow": .bool(true), "access": .string("rwm"), "type": Self.type(device),
                    "major": .integer(Int64(device.major)), "minor": .integer(Int64(device.minor)),
                ])
            }
        }
        var members: [String: JSONValue] = ["devices": .array(rules)]
        for (name, member) in Self.limits(limits) { members[name] = member }
        return .object(members)
    }

    /// Source: config-linux.md, "Memory", "CPU", "PIDs".
    private static func limits(_ limits: CgroupLimits) -> [(name: String, member: JSONValue)] {
        func object(_ pairs: [(String, JSONValue?)]) -> JSONValue {
            .object(Dictionary(pairs.compactMap { pair in pair.1.map { (pair.0, $0) } }) { first, _ in first })
        }
        func number(_ value: UInt64?) -> JSONValue? { value.map { .integer(Int64(clamping: $0)) } }
        let both: JSONValue? =
            switch limits.memoryAndSwap {
            case .unlimited?: .integer(-1)
            case .bytes(let bytes)?: number(bytes)
            // As much swap as memory.
            case nil: number(limits.memory.map { $0.multipliedReportingOverflow(by: 2).partialValue })
            }
        let members = [
            ("memory", object([("limit", number(limits.memory)), ("swap", both)])),
            (
                "cpu",
                object([
                    ("shares", number(limits.cpuShares)), ("quota", number(limits.cpuQuota)),
                    ("period", number(limits.cpuPeriod)), ("cpus", limits.cpus.map { .string($0.description) }),
                    ("mems", limits.memoryNodes.map { .string($0.description) }),
                ])
            ), ("pids", object([("limit", number(limits.processes))])),
        ]
        return members.filter { $0.1 != .object([:]) }.map { (name: $0.0, member: $0.1) }
    }

    private static func type(_ device: SandboxPlan.DeviceNode) -> JSONValue {
        .string(device.isBlockDevice ? "b" : "c")
    }

    private static func device(_ device: SandboxPlan.DeviceNode) -> JSONValue {
        .object([
            "path": .string(device.path), "type": type(device), "major": .integer(Int64(device.major)),
            "minor": .integer(Int64(device.minor)), "fileMode": .integer(0o666), "uid": .integer(0),
            "gid": .integer(0),
        ])
    }
}

/// What another runtime cannot be told.
struct RuntimeLimit: Error, Sendable, CustomStringConvertible {
    let what: String

    var description: String { "another runtime cannot be told of \(what); leave out --runtime" }
}
