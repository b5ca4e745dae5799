import BuildFileParser
import Exec
import OCI

extension SandboxOptions {
    /// Takes a value of `--security-opt`; a profile's path is taken from `directory` where it is relative.
    /// - Throws: ``MalformedOption``, ``SeccompProfileError``, or `HostFileError`.
    public mutating func addSecurityOption(_ text: String, in directory: String) throws {
        try addSecurityOption(text, in: directory, on: .host)
    }

    mutating func addSecurityOption(_ text: String, in directory: String, on machine: SecurityModules) throws {
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
        case ("apparmor", let name?) where !name.isEmpty:
            do { try setAppArmor(name, on: machine) } catch { throw failure("apparmor=unconfined: \(error)") }
        case ("label", let label?) where !label.isEmpty:
            do {
                try setLabel(label, on: machine)
            } catch .malformed {
                throw failure("\(UnavailableLabel.malformed)")
            } catch {
                throw failure("label=disable: \(error)")
            }
        default:
            let known = ["seccomp", "no-new-privileges", "apparmor", "label"]
            if let near = suggestion(for: pair[0], among: known), near != pair[0] {
                throw failure("a known option; did you mean \(near)?")
            }
            throw failure("seccomp=unconfined, seccomp=FILE, no-new-privileges, apparmor=PROFILE or label=type:NAME")
        }
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
