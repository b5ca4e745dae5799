import BuildFileParser
import Exec
import OCI

extension SandboxOptions {
    /// Takes a value of `--security-opt`; a profile's path is taken from `directory` where it is relative.
    /// - Throws: ``MalformedOption``, ``SeccompProfileError``, or `HostFileError`.
    public mutating func addSecurityOption(_ text: String, in directory: String) throws {
        func failure(_ expected: String) -> MalformedOption {
            MalformedOption(option: "--security-opt", value: text, expected: expected)
        }
        // Docker takes a colon as well.
        let separator = text.first { $0 == "=" || $0 == ":" } ?? "="
        let pair = text.split(separator: separator, maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let value = pair.count > 1 ? pair[1] : nil
        switch (pair[0], value) {
        case ("no-new-privileges", nil), ("no-new-privileges", "true"): noNewPrivileges = true
        case ("no-new-privileges", "false"): noNewPrivileges = false
        case ("seccomp", "unconfined"): seccomp = .unconfined
        case ("seccomp", "builtin"), ("seccomp", "default"): seccomp = .default
        case ("seccomp", let path?) where !path.isEmpty:
            seccomp = .profile(try SeccompProfileFile(path: absolute(path, in: directory)))
        // What these ask for is how every step runs.
        case ("apparmor", "unconfined"), ("label", "disable"): break
        case ("apparmor", .some): throw failure("apparmor=unconfined: \(Self.lacking("AppArmor", "apparmor"))")
        case ("label", .some): throw failure("label=disable: \(Self.lacking("SELinux", "selinux"))")
        default:
            let known = ["seccomp", "no-new-privileges", "apparmor", "label"]
            if let near = suggestion(for: pair[0], among: known), near != pair[0] {
                throw failure("a known option; did you mean \(near)?")
            }
            throw failure("seccomp=unconfined, seccomp=FILE, no-new-privileges, apparmor=unconfined or label=disable")
        }
    }

    /// Why a profile or label of a security module cannot be had.
    private static func lacking(_ name: String, _ module: String) -> String {
        let modules = (try? HostFile.read("/sys/kernel/security/lsm", limit: 4096)) ?? []
        let isThere = modules.split(separator: UInt8(ascii: ",")).contains { $0.elementsEqual(module.utf8) }
        return isThere ? "swbuild cannot apply another one yet" : "this kernel runs without \(name)"
    }

    /// The system call filter of steps that are not insecure, made once for a build.
    /// - Throws: `SandboxError` where libseccomp cannot make it.
    func filter() throws -> SeccompPolicy {
        switch seccomp {
        case .default: .docker
        case .unconfined: .unconfined
        case .profile(let file): .program(try SeccompProgram.compiled(file.rules(capabilities)))
        }
    }
}
