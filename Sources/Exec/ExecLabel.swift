/// What a security module of the kernel puts on the step's program when it starts.
public enum ExecLabel: Sendable, Hashable {
    /// An AppArmor profile that is loaded.
    case appArmor(profile: String)
    /// A whole SELinux context: `user:role:type:level`.
    case seLinux(context: String)

    /// The file below `/proc` that takes it, from the process itself (proc(5), `/proc/pid/attr`).
    var attribute: String {
        switch self {
        case .appArmor: "thread-self/attr/apparmor/exec"
        case .seLinux: "thread-self/attr/exec"
        }
    }

    /// What is written there.
    var text: String {
        switch self {
        case .appArmor(let profile): "exec \(profile)"
        case .seLinux(let context): context
        }
    }
}

extension ExecLabel: CustomStringConvertible {
    /// The label in words.
    public var description: String {
        switch self {
        case .appArmor(let profile): "the AppArmor profile \(profile)"
        case .seLinux(let context): "the SELinux label \(context)"
        }
    }
}
