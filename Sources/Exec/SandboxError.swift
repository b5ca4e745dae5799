import SystemPackage

/// Why a step could not be started.
public struct SandboxError: Error, Sendable, Hashable {
    /// What was being done when it failed.
    public enum Stage: Sendable, Hashable {
        /// Making the process in its namespaces.
        case clone
        /// Giving the user namespace its ids.
        case idMap
        /// Preparing the namespaces.
        case namespace
        /// An operation of the set-up, in words: `mount tmpfs at /t`.
        case operation(String)
        /// A mount, in words: what was to be mounted is not there.
        case mountSource(String)
        /// Finding the place of a mount: this target.
        case mountPoint(String)
        /// Connecting standard input, output and error.
        case standardStreams
        /// Setting a limit, in words: `nofile=1024:2048`.
        case resourceLimit(String)
        /// Taking on the user, the groups and the capabilities.
        case credentials
        /// Building or installing the system call filter.
        case seccomp
        /// Making a system call filter of a rule, by its place.
        case seccompRule(String)
        /// Putting a security module's label on the step, in words.
        case label(String)
        /// Going to the working directory.
        case workingDirectory
        /// Executing this program.
        case execute(String)
        /// Executing this program: it is there, but the interpreter or loader it names is not.
        case interpreter(String)
    }

    /// What was being done.
    public var stage: Stage

    /// What the kernel said.
    public var errno: Errno

    /// The path or name it was about, where the stage does not name it.
    public var subject: String

    init(_ stage: Stage, _ errno: Errno, subject: String = "") {
        self.stage = stage
        self.errno = errno
        self.subject = subject
    }

    init(_ stage: Stage, code: CInt, subject: String = "") {
        self.init(stage, Errno(rawValue: code), subject: subject)
    }
}

extension SandboxError: CustomStringConvertible {
    /// One sentence: what failed, why, and what can be done where that is known.
    public var description: String {
        switch stage {
        case .clone: "cannot start the sandbox's process: \(errno)\(advice(Self.cloneAdvice))"
        case .idMap: "cannot map the ids of the sandbox's user namespace: \(errno)\(advice(Self.idMapAdvice))"
        case .namespace: "cannot prepare the sandbox's namespaces: \(errno)"
        case .operation(let operation): "cannot \(operation): \(errno)\(advice(Self.operationAdvice))"
        case .mountSource(let mount): "cannot \(mount): the source does not exist (\(errno))"
        case .mountPoint(let target): mountPointDescription(target)
        case .standardStreams: "cannot connect the step's standard streams: \(errno)\(advice(Self.streamAdvice))"
        case .resourceLimit(let limit): "cannot set the limit \(limit): \(errno)\(advice(Self.limitAdvice))"
        case .credentials: "cannot take on \(subject): \(errno)\(advice(Self.credentialAdvice))"
        case .seccomp: "cannot install the system call filter: \(errno)"
        case .label(let label): "cannot run the step under \(label): \(errno)\(advice(Self.labelAdvice))"
        case .seccompRule(let place): "cannot make a system call filter of \(place): \(errno)"
        case .workingDirectory: workingDirectoryDescription
        case .execute(let program): executeDescription(program)
        case .interpreter(let program):
            "cannot execute \(program): it exists, but the interpreter or the dynamic loader that it names does not"
        }
    }

    private func mountPointDescription(_ target: String) -> String {
        switch errno {
        case .noSuchFileOrDirectory:
            "mount point missing: \(target) is neither in the image nor inside a mount that can be written to"
        case .readOnlyFileSystem:
            "mount point missing: \(target) lies inside a read-only mount, where it cannot be made"
        case .tooManySymbolicLinkLevels: "cannot mount at \(target): a symbolic link is in the way"
        default: "cannot reach the mount point \(target): \(errno)"
        }
    }

    private var workingDirectoryDescription: String {
        switch errno {
        case .notDirectory:
            "the working directory \(subject) is not a directory, or leads through something that is not"
        case .fileExists: "cannot make the working directory \(subject): a symbolic link to nothing is in the way"
        default: "cannot enter the working directory \(subject): \(errno)"
        }
    }

    private func executeDescription(_ program: String) -> String {
        switch errno {
        case _ where program.isEmpty: "cannot execute the step: its command is empty"
        case .noSuchFileOrDirectory where program.utf8.contains(UInt8(ascii: "/")):
            "cannot execute \(program): there is no such file in the image"
        case .noSuchFileOrDirectory: "cannot execute \(program): not found in PATH (\(subject))"
        case .permissionDenied:
            "cannot execute \(program): it is not executable for this user (set its execute permission)"
        case .execFormatError:
            "cannot execute \(program): it is neither a program for this platform nor a script with a #! line"
        case .argListTooLong: "cannot execute \(program): the arguments and the environment are too long"
        case .notDirectory: "cannot execute \(program): part of its path is not a directory"
        default: "cannot execute \(program): \(errno)"
        }
    }
}

extension SandboxError {
    private func advice(_ table: [(Errno, String)]) -> String {
        for (known, text) in table where known == errno { return "; \(text)" }
        return ""
    }

    private static let cloneAdvice: [(Errno, String)] = [
        (.notPermitted, "run as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone, AppArmor)"),
        (.noSpace, "the limit on namespaces is reached (sysctl user.max_user_namespaces and its siblings)"),
        (.resourceTemporarilyUnavailable, "the limit on processes is reached (ulimit -u, pids.max)"),
        (.invalidArgument, "the kernel lacks a namespace that is needed"),
    ]

    private static let idMapAdvice: [(Errno, String)] = [
        (.notPermitted, "the ids are not ours to map (see /etc/subuid and /etc/subgid)")
    ]

    private static let operationAdvice: [(Errno, String)] = [
        (.notPermitted, "the privilege for it is missing (CAP_SYS_ADMIN)"),
        (.noSpace, "the file system or the limit on mounts (sysctl fs.mount-max) is full"),
        (.operationNotSupportedByDevice, "the kernel does not know this file system"),
    ]

    private static let streamAdvice: [(Errno, String)] = [
        (.tooManyOpenFiles, "raise the limit on open files (ulimit -n)")
    ]

    private static let limitAdvice: [(Errno, String)] = [
        (.notPermitted, "the kernel allows less (sysctl fs.nr_open for nofile), or CAP_SYS_RESOURCE is missing")
    ]

    private static let labelAdvice: [(Errno, String)] = [
        (.noSuchFileOrDirectory, "no such profile is loaded, or this kernel runs without the security module"),
        (.invalidArgument, "this kernel knows no such label, or runs without the security module"),
        (
            .permissionDenied,
            "the policy does not let this program use it; --security-opt apparmor=unconfined does without"
        ),
    ]

    private static let credentialAdvice: [(Errno, String)] = [
        (.invalidArgument, "the user or a group is not mapped into the user namespace"),
        (.notPermitted, "the privilege for it is missing (CAP_SETUID, CAP_SETGID, CAP_SETPCAP)"),
    ]
}
