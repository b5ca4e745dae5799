import Exec
import OCI

/// The security modules that the kernel runs with, as its file systems tell.
struct SecurityModules: Sendable, Hashable {
    /// The AppArmor profiles that are loaded and enforced; `nil` where the kernel runs without AppArmor.
    var profiles: [String]?
    /// Whether SELinux is there.
    var hasSELinux: Bool

    /// Those of this machine, looked up once.
    static let host = SecurityModules(sysfs: "/sys")

    init(profiles: [String]?, hasSELinux: Bool) {
        self.profiles = profiles
        self.hasSELinux = hasSELinux
    }

    /// Reads what a sysfs, with securityfs and selinuxfs at their usual places, says.
    init(sysfs: String) {
        let parameter = (try? HostFile.read("\(sysfs)/module/apparmor/parameters/enabled", limit: 16)) ?? []
        if parameter.first == UInt8(ascii: "Y") {
            let list = (try? HostFile.read("\(sysfs)/kernel/security/apparmor/profiles", limit: 4 << 20)) ?? []
            profiles = list.split(separator: UInt8(ascii: "\n")).compactMap(Self.enforced)
        } else {
            profiles = nil
        }
        hasSELinux = HostFile.exists("\(sysfs)/fs/selinux/enforce")
    }

    /// The profile of a line like `docker-default (enforce)`; `nil` where it is not enforced.
    private static func enforced(_ line: some Sequence<UInt8>) -> String? {
        let text = String(decoding: Array(line), as: UTF8.self)
        for mode in [" (enforce)", " (kill)"] where text.hasSuffix(mode) { return String(text.dropLast(mode.count)) }
        return nil
    }

    /// The profile that steps get where nobody asks for one: what an administrator made for swbuild, or else what the
    /// other tools that run containers on this machine have loaded for theirs.
    var defaultProfile: String? {
        for name in ["swbuild-default", "docker-default"] where profiles?.contains(name) == true { return name }
        // Its name ends in the version of the library that has it.
        return profiles?.filter { $0.hasPrefix("containers-default-") }.max()
    }
}

/// Which AppArmor profile steps have.
public enum AppArmorChoice: Sendable, Hashable {
    /// The default one of the machine, if there is one.
    case `default`
    /// None.
    case unconfined
    /// A profile that is loaded.
    case profile(String)
}

/// An SELinux label as `--security-opt label=` puts it together.
public struct SELinuxLabel: Sendable, Hashable {
    var user = "system_u"
    var role = "system_r"
    var type = "container_t"
    var level = "s0"

    var context: String { "\(user):\(role):\(type):\(level)" }

    /// Takes `type:NAME` and the like; whether it was one.
    mutating func set(_ text: String) -> Bool {
        let pair = text.split(separator: ":", maxSplits: 1).map(String.init)
        guard pair.count == 2 else { return false }
        switch pair[0] {
        case "user": user = pair[1]
        case "role": role = pair[1]
        case "type": type = pair[1]
        case "level": level = pair[1]
        default: return false
        }
        return true
    }
}

extension SandboxOptions {
    /// What the security modules of a machine put on a step's program.
    func labels(isInsecure: Bool, on machine: SecurityModules) -> [ExecLabel] {
        var labels: [ExecLabel] = []
        switch appArmor {
        case .profile(let name): labels.append(.appArmor(profile: name))
        case .default where !isInsecure:
            if let name = machine.defaultProfile { labels.append(.appArmor(profile: name)) }
        case .default, .unconfined: break
        }
        if let seLinux { labels.append(.seLinux(context: seLinux.context)) }
        return labels
    }

    /// Takes the value of `apparmor=`.
    mutating func setAppArmor(_ value: String, on machine: SecurityModules) throws(UnavailableLabel) {
        guard value != "unconfined" else {
            appArmor = .unconfined
            return
        }
        guard let profiles = machine.profiles else { throw .moduleMissing("AppArmor") }
        guard profiles.contains(value) else { throw .profileNotLoaded(value) }
        appArmor = .profile(value)
    }

    /// Takes the value of `label=`.
    mutating func setLabel(_ value: String, on machine: SecurityModules) throws(UnavailableLabel) {
        guard value != "disable" else {
            seLinux = nil
            return
        }
        var label = seLinux ?? SELinuxLabel()
        guard label.set(value) else { throw .malformed }
        guard machine.hasSELinux else { throw .moduleMissing("SELinux") }
        seLinux = label
    }
}

/// Why a profile or a label cannot be had.
enum UnavailableLabel: Error, Hashable {
    /// The kernel runs without this module.
    case moduleMissing(String)
    /// No such profile is loaded and enforced.
    case profileNotLoaded(String)
    /// It is none.
    case malformed
}

extension UnavailableLabel: CustomStringConvertible {
    var description: String {
        switch self {
        case .moduleMissing(let name): "this kernel runs without \(name)"
        case .profileNotLoaded(let name):
            "no profile \(name) is loaded and enforced; load it with apparmor_parser, and see aa-status"
        case .malformed: "label=disable, label=type:NAME, label=level:LEVEL, label=user:NAME or label=role:NAME"
        }
    }
}
