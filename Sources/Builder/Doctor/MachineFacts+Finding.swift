import Exec
import Glibc
import LayerDiff
import OCI

extension MachineFacts {
    /// Finds out about this machine; `stateDirectory` need not be there.
    ///
    /// Everything is tried in a directory of its own beside where the state directory is or would be.
    public static func find(stateDirectory: String, searchPath: String) -> MachineFacts {
        var facts = MachineFacts(uid: geteuid())
        let look = MachineLook(searchPath: searchPath)
        facts.kernel = look.text("/proc/sys/kernel/osrelease") ?? ""
        facts.userName = look.userName(facts.uid)
        facts.ids = look.subordinateIDs(name: facts.userName, uid: facts.uid)
        facts.cgroups = look.cgroups()
        facts.network = look.networkHelpers()
        facts.confinement = look.confinement()
        facts.programs = look.programs()
        facts.namespaces.limit = look.number("/proc/sys/user/max_user_namespaces")
        facts.namespaces.unprivilegedClone = look.number("/proc/sys/kernel/unprivileged_userns_clone")
        facts.namespaces.appArmorRestricts = look.number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
        facts.namespaces.isFiltered = look.status("Seccomp") == "2"
        TrialDirectory.use(near: stateDirectory) { place in
            facts.disk = place.disk(stateDirectory)
            place.tryNamespaces(&facts)
        }
        return facts
    }
}

/// Reads what files of the machine say.
struct MachineLook {
    let searchPath: String
    private static let limit = 1 << 20

    /// The first line of a small file.
    func text(_ path: String) -> String? {
        lines(path).first
    }

    /// The lines of a small file; none where it cannot be read.
    func lines(_ path: String) -> [String] {
        let bytes = (try? HostFile.read(path, limit: Self.limit)) ?? []
        return bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
    }

    func number(_ path: String) -> Int? { text(path).flatMap { Int($0) } }

    /// A field of `/proc/self/status` (proc(5)).
    func status(_ field: String) -> String? {
        for line in lines("/proc/self/status") where line.hasPrefix("\(field):") {
            return line.dropFirst(field.count + 1).split { $0 == " " || $0 == "\t" }.first.map(String.init)
        }
        return nil
    }

    /// The path of a program.
    func program(_ name: String) -> String? {
        searchPath.split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    /// As the maps of a build find it: from wherever the machine knows users from.
    func userName(_ uid: UInt32) -> String {
        getpwuid(uid).flatMap { $0.pointee.pw_name }.map { String(cString: $0) } ?? ""
    }

    // MARK: Ids

    func subordinateIDs(name: String, uid: UInt32) -> MachineFacts.SubordinateIDs {
        MachineFacts.SubordinateIDs(
            users: count("/etc/subuid", name: name, uid: uid),
            groups: count("/etc/subgid", name: name, uid: uid),
            userTool: tool("newuidmap"),
            groupTool: tool("newgidmap")
        )
    }

    /// How many ids a file of subuid(5) lends to a user.
    private func count(_ path: String, name: String, uid: UInt32) -> UInt64 {
        let text = (try? HostFile.read(path, limit: Self.limit)) ?? []
        let ranges = Exec.SubordinateIDs.ranges(in: text, name: name.isEmpty ? nil : name, id: uid)
        return ranges.reduce(0) { $0 + UInt64($1.count) }
    }

    private func tool(_ name: String) -> MachineFacts.Tool {
        guard let path = UserNamespace.program(name, searchPath: searchPath) else { return .missing }
        var information = stat()
        let isSetUserID = stat(path, &information) == 0 && information.st_mode & S_ISUID != 0 && information.st_uid == 0
        let hasCapabilities = KernelTrial.hasAttribute("security.capability", of: path)
        return isSetUserID || hasCapabilities ? .usable(path: path) : .powerless(path: path)
    }

    // MARK: Cgroups

    private static let cgroupRoot = "/sys/fs/cgroup"

    func cgroups() -> MachineFacts.Cgroups {
        // Version 2 has this file in each of its directories.
        HostFile.exists("\(Self.cgroupRoot)/cgroup.controllers") ? unifiedCgroups() : separateCgroups()
    }

    /// Kernel, admin-guide/cgroup-v2.rst, "Delegation".
    private func unifiedCgroups() -> MachineFacts.Cgroups {
        let own = lines("/proc/self/cgroup").first { $0.hasPrefix("0::") }.map { String($0.dropFirst(3)) } ?? "/"
        let directory = own == "/" ? Self.cgroupRoot : Self.cgroupRoot + own
        let controllers = words(text("\(directory)/cgroup.controllers"))
        let isOurs = access(directory, W_OK) == 0 && access("\(directory)/cgroup.procs", W_OK) == 0
        return MachineFacts.Cgroups(
            version: 2,
            controllers: controllers,
            delegated: isOurs ? controllers : []
        )
    }

    /// A hierarchy for each controller (admin-guide/cgroup-v1/cgroups.rst).
    private func separateCgroups() -> MachineFacts.Cgroups {
        var result = MachineFacts.Cgroups()
        for line in lines("/proc/self/cgroup") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            guard fields.count == 3, !fields[1].isEmpty, !fields[1].hasPrefix("name=") else { continue }
            let places = [fields[1]] + fields[1].split(separator: ",").map(String.init)
            guard let place = places.map({ "\(Self.cgroupRoot)/\($0)" }).first(where: { HostFile.exists($0) }) else {
                continue
            }
            let names = fields[1].split(separator: ",").map(String.init)
            result.version = 1
            result.controllers += names
            let own = "\(place)\(fields[2])"
            if access(HostFile.exists(own) ? own : place, W_OK) == 0 { result.delegated += names }
        }
        result.controllers.sort()
        result.delegated.sort()
        return result
    }

    private func words(_ text: String?) -> [String] { (text ?? "").split(separator: " ").map(String.init).sorted() }

    // MARK: The rest

    func networkHelpers() -> MachineFacts.NetworkHelpers {
        let device = open("/dev/net/tun", O_RDWR | O_CLOEXEC)
        if device >= 0 { close(device) }
        let found = NetworkHelper.all(searchPath: searchPath)
        return MachineFacts.NetworkHelpers(
            pasta: found.first { $0.kind == .pasta }?.path,
            slirp: found.first { $0.kind == .slirp4netns }?.path,
            hasTunnelDevice: device >= 0
        )
    }

    func confinement() -> MachineFacts.Confinement {
        let profile = text("/proc/self/attr/apparmor/current") ?? text("/proc/self/attr/current")
        let hasAppArmor = text("/sys/module/apparmor/parameters/enabled") == "Y"
        return MachineFacts.Confinement(
            hasSeccomp: status("Seccomp") != nil,
            hasAppArmor: hasAppArmor,
            appArmorProfile: hasAppArmor && profile != "unconfined" ? profile : nil,
            enforcesSELinux: text("/sys/fs/selinux/enforce").map { $0 == "1" },
            landlock: KernelTrial.landlockVersion
        )
    }

    func programs() -> MachineFacts.Programs {
        // The names that downloads look for.
        let names = ["libcurl.so.4", "libcurl-gnutls.so.4"]
        let hasCurl = names.contains { name in dlopen(name, RTLD_NOW | RTLD_LOCAL) != nil }
        return MachineFacts.Programs(hasCurl: hasCurl, git: program("git"))
    }
}
