import Glibc

extension SandboxPlan {
    /// The operations that set this plan's sandbox up.
    var operations: [Operation] {
        runtime.map(operations) ?? preparation + completion
    }

    /// What can be done before the step's layers, mounts and command are known: all that the kernel provides.
    var preparation: [Operation] {
        var operations = foundation(mountPoints: baseFileSystems.compactMap { ContainerPath.normalized($0.target) })
        operations += fileSystems.map(Operation.fileSystem)
        operations += (Self.devices + (isPrivileged ? Self.privilegedDevices : [])).map(Operation.device)
        operations += Self.deviceLinks.map { .symbolicLink(directory: "/dev", name: $0.name, text: $0.text) }
        if !isPrivileged {
            operations += (Self.maskedPaths + Self.throttlePaths).map(Operation.mask)
            operations += Self.readOnlyPaths.map(Operation.readOnly)
        }
        return operations + stagedMounts.indices.compactMap { stagedFile($0) }
    }

    /// What is left to do then.
    var completion: [Operation] {
        [.hostname(hostname), .root(finishedRoot)] + baseFileSystems.map(Operation.attach) + mounts.map(mounting)
            + [.changeRoot, .workingDirectory(workingDirectory)]
    }

    private func stagedFile(_ index: Int) -> Operation? {
        guard case .file(let contents, let mode, let uid, let gid, _) = stagedMounts[index].kind else { return nil }
        return .stagedFile(.init(name: Self.stagedName(index), contents: contents, mode: mode, uid: uid, gid: gid))
    }

    private func mounting(_ mount: Mount) -> Operation {
        .mount(mount, staged: stagedMounts.firstIndex(of: mount).map(Self.stagedName))
    }

    private static func stagedName(_ index: Int) -> String { "staged\(index)" }

    /// The beginning of every sandbox.
    func foundation(mountPoints: [String]) -> [Operation] {
        [.privateMounts] + (network.isNew ? [.loopbackUp] : [])
            + [.staging(directory: stagingDirectory ?? root.workDirectory, mountPoints: mountPoints)]
    }

    /// The root with what the rest of the plan says of it.
    var finishedRoot: Overlay {
        var root = root
        root.opensDevices = isPrivileged
        root.isCovered = stagingDirectory == nil
        return root
    }

    /// The file systems that are mounted into the root itself; the others are mounted into these.
    private var baseFileSystems: [Operation.FileSystem] {
        fileSystems.filter { ContainerPath.normalized($0.target)?.contains("/") == false }
    }

    /// The kernel's file systems, as a container has them (runtime-spec, config-linux.md, "Default Filesystems").
    var fileSystems: [Operation.FileSystem] {
        // Group 5 is "tty" by convention; where it is not mapped, terminals belong to the group that opens them.
        let hasTerminalGroup = (idMaps ?? availableIDs).map { $0.groups.outside(5) != nil } ?? true
        let terminals: [Operation.FileSystem.Option] = [
            .init(key: "newinstance"), .init(key: "ptmxmode", value: "0666"), .init(key: "mode", value: "0620"),
        ]
        let system: MountAttributes = [.noSetUserID, .noDevices, .noExecution]
        return [
            .init(type: "proc", target: "/proc"),
            .init(
                type: "sysfs",
                target: "/sys",
                attributes: isPrivileged ? system : system.union(.readOnly),
                fallback: "/sys"
            ),
            .init(
                type: "cgroup2",
                target: "/sys/fs/cgroup",
                attributes: isPrivileged ? system : system.union(.readOnly),
                isOptional: true
            ),
            .init(
                type: "tmpfs",
                target: "/dev",
                options: [.init(key: "mode", value: "755"), .init(key: "size", value: "64m")],
                attributes: isPrivileged ? .noSetUserID : [.noSetUserID, .noDevices]
            ),
            .init(
                type: "devpts",
                target: "/dev/pts",
                options: terminals + (hasTerminalGroup ? [.init(key: "gid", value: "5")] : []),
                attributes: [.noSetUserID, .noExecution]
            ),
            .init(type: "mqueue", target: "/dev/mqueue", isOptional: true),
            .init(
                type: "tmpfs",
                target: "/dev/shm",
                options: [.init(key: "mode", value: "1777"), .init(key: "size", value: "\(sharedMemorySize)")]
            ),
        ]
    }

    /// The devices of a container (runtime-spec, config-linux.md, "Default Devices"; devices.txt has the numbers).
    private static let devices: [Operation.Device] = [
        .init(name: "null", major: 1, minor: 3),
        .init(name: "zero", major: 1, minor: 5),
        .init(name: "full", major: 1, minor: 7),
        .init(name: "random", major: 1, minor: 8),
        .init(name: "urandom", major: 1, minor: 9),
        .init(name: "tty", major: 5, minor: 0),
    ]

    /// What a privileged step has besides, as BuildKit's insecure mode has it: the kernel's log, file systems and
    /// character devices in user space, virtual machines, tunnels, and loop devices.
    static let privilegedDevices: [Operation.Device] =
        [
            .init(name: "kmsg", major: 1, minor: 11, isOptional: true),
            .init(name: "cuse", major: 10, minor: 203, isOptional: true),
            .init(name: "fuse", major: 10, minor: 229, isOptional: true),
            .init(name: "kvm", major: 10, minor: 232, isOptional: true),
            .init(name: "net/tun", major: 10, minor: 200, isOptional: true),
            .init(name: "loop-control", major: 10, minor: 237, isOptional: true),
        ] + (0..<8).map { .init(name: "loop\($0)", major: 7, minor: $0, isBlockDevice: true, isOptional: true) }

    private static let deviceLinks: [(name: String, text: String)] = [
        ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"), ("ptmx", "pts/ptmx"),
    ]

    /// What says too much about the machine, or lets one do too much to it.
    ///
    /// The same as in Docker's containers.
    public static let maskedPaths = [
        "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
        "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap",
        "/sys/firmware",
    ]

    /// How often each processor was too hot, where the machine tells: that says what others compute.
    static let throttlePaths: [String] = (0..<max(0, sysconf(CInt(_SC_NPROCESSORS_CONF))))
        .map { number -> String in "/sys/devices/system/cpu/cpu\(number)/thermal_throttle" }
        .filter { access($0, F_OK) == 0 }

    /// What stays visible, but cannot be written to, as in Docker's containers.
    public static let readOnlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
}
