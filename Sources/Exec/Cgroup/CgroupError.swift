import SystemPackage

/// Why steps cannot be limited as asked.
public struct CgroupError: Error, Sendable, Hashable {
    /// What went wrong.
    public enum Problem: Sendable, Hashable {
        /// No hierarchy of cgroups can be seen.
        case notMounted
        /// No hierarchy here has the controller.
        case noController(limits: [CgroupLimits.Name], controller: String, offered: [String])
        /// The cgroup was not given the controller by those above it.
        case notDelegated(limits: [CgroupLimits.Name], controller: String, directory: String)
        /// The cgroup's files cannot be changed.
        case refused(directory: String, Errno)
        /// Processes cannot be moved from swbuild's own cgroup to that one.
        case contained(own: String, directory: String, Errno)
        /// Controllers cannot be handed on while there are processes in the cgroup.
        case occupied(directory: String, processes: Int)
        /// The kernel does not take this value.
        case setting(CgroupLimits.Name, value: String, file: String, Errno)
        /// A list of processors or nodes that are not all there.
        case unavailable(CgroupLimits.Name, asked: CgroupNumberList, available: CgroupNumberList)
    }

    /// What went wrong.
    public var problem: Problem
    /// Whether the program runs as root, who has other ways out.
    public var isRoot: Bool
    /// Whether it is about version 2, which can be divided among users.
    public var isUnified: Bool

    init(_ problem: Problem, isRoot: Bool, isUnified: Bool = true) {
        self.problem = problem
        self.isRoot = isRoot
        self.isUnified = isUnified
    }
}

extension CgroupError: CustomStringConvertible {
    /// One sentence: what cannot be limited, why, and what can be done.
    public var description: String {
        switch problem {
        case .notMounted: "steps cannot be limited: no cgroup file system is mounted (mount cgroup2 at /sys/fs/cgroup)"
        case .noController(let limits, let controller, let offered):
            "\(Self.text(limits)) cannot be limited: this machine has no cgroup controller \(controller) "
                + (offered.isEmpty ? "" : "(only \(offered.joined(separator: ", "))) ")
                + "(see /proc/cgroups; it may be turned off by cgroup_disable or the lack of cgroup_enable on the "
                + "kernel's command line)"
        case .notDelegated(let limits, let controller, let directory):
            "\(Self.text(limits)) cannot be limited: the cgroup \(directory) does not have the controller "
                + "\(controller), because those above do not hand it on; \(delegation)"
        case .refused(let directory, let errno):
            "steps cannot be limited: no cgroup can be made in \(directory) (\(errno)); \(delegation)"
        case .contained(let own, let directory, let errno):
            "steps cannot be limited: swbuild runs in the cgroup \(own) and may start nothing in \(directory) (\(errno)): "
                + "it takes the right to write to the one above both; \(delegation)"
        case .occupied(let directory, let processes):
            "steps cannot be limited: the cgroup \(directory) has \(processes) other processes in it, and version 2 of "
                + "cgroups limits nothing below one with processes; \(delegation)"
        case .setting(let limit, let value, let file, let errno): settingText(limit, value, file, errno)
        case .unavailable(let limit, let asked, let available):
            "the limit on \(limit.rawValue) cannot be \(asked): only \(available) are there"
        }
    }

    private func settingText(_ limit: CgroupLimits.Name, _ value: String, _ file: String, _ errno: Errno) -> String {
        let text = "the limit on \(limit.rawValue) cannot be set (\(value) in \(file)): \(errno)"
        switch errno {
        case .noSuchFileOrDirectory where limit == .swap:
            return text + "; the kernel does not count swap (swapaccount=1 on its command line)"
        case .noSuchFileOrDirectory: return text + "; the kernel was built without it"
        case .invalidArgument: return text + "; a cgroup above may allow less"
        default: return text
        }
    }

    private static func text(_ limits: [CgroupLimits.Name]) -> String {
        limits.map(\.rawValue).joined(separator: " and ")
    }

    /// How to get a cgroup that may be divided.
    private var delegation: String {
        guard isUnified else {
            return isRoot
                ? "mount it so that it can be written to, or name another with --cgroup-parent"
                : "version 1 of cgroups gives ordinary users none: run as root, or have root make a cgroup that is yours in "
                    + "each hierarchy (mkdir and chown -R below /sys/fs/cgroup/*) and name it with --cgroup-parent"
        }
        return isRoot
            ? "run it in a cgroup of its own (`systemd-run --scope -p Delegate=yes swbuild build …`), or name another "
                + "with --cgroup-parent /swbuild"
            : "run it in a cgroup of its own (`systemd-run --user --scope -p Delegate=yes swbuild build …`), or name "
                + "one that is yours with --cgroup-parent"
    }
}
