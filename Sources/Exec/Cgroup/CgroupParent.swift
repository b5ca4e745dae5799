import Glibc
import Synchronization
import SystemPackage

/// The cgroups below which a build's steps get theirs, one in each hierarchy that is needed.
///
/// What is made there is called `swbuild-PROCESS-NUMBER` and locked while it is in use; what a killed build has left is
/// removed by the next one that comes to the same place.
public final class CgroupParent: Sendable {
    /// A cgroup below which steps get theirs.
    struct Place: Sendable, Hashable {
        let isUnified: Bool
        let directory: String
        let controllers: [CgroupController]
        let settings: [CgroupSetting]
    }

    let limits: CgroupLimits
    let places: [Place]
    let files: any CgroupFiles
    private let isRoot: Bool
    /// The cgroup that this process has moved into, to make room in the one above.
    private let shelter: CgroupClaim?
    private let count = Atomic<Int>(0)

    init(_ limits: CgroupLimits, places: [Place], shelter: CgroupClaim?, system: System) {
        self.limits = limits
        self.places = places
        self.shelter = shelter
        files = system.files
        isRoot = system.isRoot
    }

    /// What of the machine a parent is prepared on.
    struct System: Sendable {
        var files: any CgroupFiles
        var hierarchies: [CgroupHierarchy]
        var isRoot: Bool
        var process: Int32
    }

    /// Finds or makes the cgroups for steps with limits: below `path`, or else below this process's own.
    ///
    /// Where version 2 requires it, this process moves into a new cgroup beside the steps'.
    /// - Throws: ``CgroupError`` where a limit cannot be enforced.
    public static func prepare(_ limits: CgroupLimits, below path: CgroupPath?) throws(CgroupError) -> CgroupParent {
        let files = KernelCgroupFiles()
        let hierarchies = CgroupHierarchy.all(
            mountInfo: (try? files.read("/proc/self/mountinfo")) ?? "",
            membership: (try? files.read("/proc/self/cgroup")) ?? ""
        )
        // Root of a user namespace has another user's rights outside of it.
        let isRoot = Privilege.current() == .root
        let system = System(files: files, hierarchies: hierarchies, isRoot: isRoot, process: getpid())
        var preparation = CgroupPreparation(system: system, limits: limits, path: path)
        return try preparation.parent()
    }

    /// The name of the next cgroup.
    func nextName() -> String {
        CgroupName.step(process: getpid(), number: count.add(1, ordering: .relaxed).newValue)
    }

    func error(_ problem: CgroupError.Problem, isUnified: Bool) -> CgroupError {
        CgroupError(problem, isRoot: isRoot, isUnified: isUnified)
    }
}

/// The names of the cgroups that swbuild makes.
enum CgroupName {
    private static let prefix = "swbuild-"

    static func step(process: Int32, number: Int) -> String { "\(prefix)\(process)-\(number)" }

    /// The cgroup of swbuild itself, where it must leave the one that it began in.
    static func own(process: Int32, attempt: Int) -> String {
        "\(prefix)\(process)-\(ownWord)\(attempt == 0 ? "" : "\(attempt)")"
    }

    private static let ownWord = "self"

    /// Whether a cgroup may be one of these.
    static func isOurs(_ name: String) -> Bool {
        guard name.hasPrefix(prefix) else { return false }
        let parts = name.dropFirst(prefix.count).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, Int32(parts[0]) != nil else { return false }
        let number = parts[1].hasPrefix(ownWord) ? parts[1].dropFirst(ownWord.count) : parts[1]
        return Int(number) != nil || parts[1] == ownWord
    }
}
