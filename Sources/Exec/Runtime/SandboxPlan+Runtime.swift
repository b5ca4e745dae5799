extension SandboxPlan {
    /// A program that runs containers, and what it is to run (runtime-spec, runtime.md).
    ///
    /// The sandbox's root and mounts are made as without it, in namespaces that it is started in: they go with it.
    public struct Runtime: Sendable, Hashable {
        /// The program's path.
        public var program: String

        /// The container's name for it.
        public var container: String

        /// The `config.json` of the bundle, which is in memory only.
        public var configuration: [UInt8]

        /// A path of the host at which the program leaves its own messages.
        public var log: String

        /// Files beside the bundle, for mounts of the configuration.
        public var files: [File]

        /// A file in memory.
        public struct File: Sendable, Hashable {
            /// Its name in the directory of the bundle.
            public var name: String
            /// The content.
            public var contents: [UInt8]
            /// The permissions.
            public var mode: UInt32
            /// The owner.
            public var uid: UInt32
            /// The owner's group.
            public var gid: UInt32

            /// A file of a name.
            public init(name: String, contents: [UInt8], mode: UInt32, uid: UInt32, gid: UInt32) {
                self.name = name
                self.contents = contents
                self.mode = mode
                self.uid = uid
                self.gid = gid
            }
        }

        /// A program and what it is told.
        public init(program: String, container: String, configuration: [UInt8], log: String, files: [File]) {
            self.program = program
            self.container = container
            self.configuration = configuration
            self.log = log
            self.files = files
        }

        /// The calls that runc, crun, runsc and kata-runtime have in common.
        func arguments(bundle: String) -> [String] {
            [
                program, "--root", "\(bundle)/state", "--log", log, "--log-format", "json", "run", "--bundle", bundle,
                container,
            ]
        }
    }

    /// Where a runtime finds the root, in its namespaces alone.
    public var runtimeRoot: String { "\(root.workDirectory)/root" }

    /// Where a runtime finds its bundle, in its namespaces alone.
    public var runtimeBundle: String { root.workDirectory }

    /// The plan of what is started in place of the command: with a runtime, that one, which confines the command itself.
    var launchingRuntime: SandboxPlan {
        guard let runtime else { return self }
        var plan = self
        plan.arguments = runtime.arguments(bundle: runtimeBundle)
        plan.environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
        plan.credentials = .root
        plan.capabilities = CapabilitySet(rawValue: .max)
        plan.seccomp = .unconfined
        plan.noNewPrivileges = false
        plan.resourceLimits = []
        plan.labels = []
        plan.umask = 0o022
        return plan
    }

    /// The operations that make a bundle of the plan.
    func operations(for runtime: Runtime) -> [Operation] {
        var operations = foundation(mountPoints: []) + [.root(finishedRoot)]
        operations += mounts.map { Operation.mount($0, staged: nil) }
        operations += runtime.files.map(Operation.stagedFile)
        operations.append(.runtimeBundle(configuration: runtime.configuration))
        return operations
    }
}

extension SandboxPlan {
    /// A file system of the kernel's as runtimes are told of it (runtime-spec, config.md, "Mounts").
    public struct SystemMount: Sendable, Hashable {
        /// The file system's type.
        public var type: String
        /// The place inside the root.
        public var target: String
        /// What is mounted: the type once more, or a path of the host.
        public var source: String
        /// The options of mount(8).
        public var options: [String]

        /// A file system of this type at this place.
        public init(type: String, target: String, source: String? = nil, options: [String]) {
            self.type = type
            self.source = source ?? type
            self.target = target
            self.options = options
        }
    }

    /// The kernel's file systems that every sandbox has, in the order in which they are mounted.
    public var systemMounts: [SystemMount] {
        fileSystems.map { fileSystem in
            var attributes = fileSystem.attributes
            // A runtime makes the devices in it, where this program mounts them.
            if fileSystem.target == "/dev" { attributes.remove(.noDevices) }
            let names: [(MountAttributes, String)] = [
                (.noSetUserID, "nosuid"), (.noDevices, "nodev"), (.noExecution, "noexec"), (.readOnly, "ro"),
            ]
            return SystemMount(
                // The one that this machine has.
                type: fileSystem.type == "cgroup2" ? "cgroup" : fileSystem.type,
                target: fileSystem.target,
                options: names.filter { attributes.contains($0.0) }.map(\.1)
                    + fileSystem.options.map { option in option.value.map { "\(option.key)=\($0)" } ?? option.key }
            )
        }
    }

    /// A device node.
    public struct DeviceNode: Sendable, Hashable {
        /// Its path inside the root.
        public var path: String
        /// The major number.
        public var major: UInt64
        /// The minor number.
        public var minor: UInt64
        /// Whether it is a block device.
        public var isBlockDevice: Bool
    }

    /// What is hidden from the command.
    public var hiddenPaths: [String] { isPrivileged ? [] : Self.maskedPaths + Self.throttlePaths }

    /// The devices of the sandbox beside those that every container has.
    public var furtherDevices: [DeviceNode] {
        guard isPrivileged else { return [] }
        return Self.privilegedDevices.map { device in
            DeviceNode(
                path: "/dev/\(device.name)",
                major: device.major,
                minor: device.minor,
                isBlockDevice: device.isBlockDevice
            )
        }
    }
}
