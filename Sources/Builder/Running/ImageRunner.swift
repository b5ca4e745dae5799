import Exec
import Glibc
import LayerDiff
import OCI
import Store

/// Runs images in the sandbox of build steps, for a look: what they write is thrown away.
public struct ImageRunner: Sendable {
    private let store: Store
    private let image: StoredImages.Item
    private let privilege: Privilege

    /// What a container is given beside its process.
    public struct Surroundings: Sendable {
        /// The network.
        public var network = NetworkMode.default
        /// What the sandbox is given beside the defaults.
        public var sandbox = SandboxOptions()
        /// Directories and files of the host.
        public var volumes: [Volume] = []
        /// What the command reads.
        public var input = SandboxPlan.StandardInput.empty

        /// The defaults.
        public init() {}
    }

    /// A runner of an image of `store`.
    public init(store: Store, image: StoredImages.Item, privilege: Privilege) {
        self.store = store
        self.image = image
        self.privilege = privilege
    }

    /// How a container ended, and which limits it ran into.
    public struct Outcome: Sendable {
        /// How its command ended.
        public var status: ExitStatus
        /// One sentence for each limit.
        public var notes: [String]
    }

    /// Runs the image's command, or another one, and returns when it has ended; must be called on a thread that lives
    /// until then.
    /// - Throws: `SandboxError` where it cannot be started, `CgroupError` where it cannot be limited, and what reading the
    ///   image throws.
    public func run(
        _ options: ContainerOptions,
        _ surroundings: Surroundings,
        attachedTo caller: Attachment,
        cancellation: Cancellation
    ) async throws -> Outcome {
        guard privilege.isRoot else { throw NeedsRoot(privilege: privilege) }
        return try await onThread {
            let cgroups = try surroundings.sandbox.prepareCgroups()
            let hold = try store.holdForBuild()
            defer { withExtendedLifetime(hold) {} }
            let work = try store.makeWorkDirectory()
            let networks = StepNetworks(steps: 1, helpers: NetworkHelper.installed(), cancellation: cancellation)
            var plan = try plan(options, surroundings, networks, work: work)
            let owners = try standIn(for: &plan)
            let network = try StepNetwork(surroundings.network, for: plan, networks)
            plan.network = network.network
            let outcome = try withExtendedLifetime(network) {
                try plan.run(
                    below: cgroups,
                    attachedTo: caller,
                    cancellation: cancellation,
                    supervision: try CallFilters().supervision(by: network.supervisors + [owners].compactMap { $0 })
                )
            }
            let notes = LimitNotes(limits: surroundings.sandbox.limits, outcome: outcome, subject: "the container")
            // There are no secrets that could be swapped out.
            let weaker = CompromiseNotes().sentences(for: outcome.compromises.subtracting(.swap))
            return Outcome(status: outcome.status, notes: weaker + notes.all)
        }
    }

    /// As in a build: where one id alone is mapped the process is root to the kernel, and the user it would be to itself.
    private func standIn(for plan: inout SandboxPlan) throws -> OwnershipSupervisor? {
        let credentials = plan.credentials
        if store.form.marksOwners {
            plan.credentials = .root
        } else if let ids = privilege.idMaps {
            try credentials.check(ids)
        }
        let layers = SupervisedLayers(
            store: store,
            chain: image.config.diffIDs,
            devices: DeviceLayers(),
            links: OwnedLinks()
        )
        return try OwnershipSupervisor.standIn(for: plan, as: credentials, on: layers)
    }

    private func plan(
        _ options: ContainerOptions,
        _ surroundings: Surroundings,
        _ networks: StepNetworks,
        work: WorkDirectory
    ) throws -> SandboxPlan {
        let chain = image.config.diffIDs
        let stack = try store.stack(chain)
        let process = try ContainerProcess(image.config.runtime, users: UserDatabase(in: stack), options: options)
        let sandbox = surroundings.sandbox
        var points: [MountPointStubs.Point] = []
        var mounts: [SandboxPlan.Mount] = []
        let files = HostFiles.mounts(
            hostname: options.hostname,
            hosts: sandbox.hosts,
            resolver: networks.resolverFile(HostFiles.resolver, for: surroundings.network)
        )
        for (mount, isDirectory) in files + (try surroundings.volumes.map { try $0.mount() }) {
            points.append(MountPointStubs.Point(path: mount.target, isDirectory: isDirectory))
            mounts.append(mount)
        }
        for device in sandbox.devices {
            points.append(MountPointStubs.Point(path: device.target, isDirectory: false))
            mounts.append(SandboxPlan.Mount(target: device.target, kind: device.mount))
        }
        let upper = try work.makeDirectory("upper")
        if let root = stack.lookup(.root)?.entry {
            try OwnerMark.set(.init(uid: root.uid, gid: root.gid), at: upper, form: store.form)
            guard chmod(upper, mode_t(root.mode)) == 0 else {
                throw HostFileError("set the attributes of", upper, code: errno)
            }
        }
        let stubs = try MountPointStubs(form: store.form).directory(for: points, in: stack, work: work)
        let root = SandboxPlan.Overlay(
            lowerDirectories: try (stubs.map { [$0] } ?? []) + store.directories(chain),
            upperDirectory: upper,
            workDirectory: try work.makeDirectory("work", mode: 0o700),
            userXattr: store.form != .trusted
        )
        var plan = process.plan(root: root, hostname: options.hostname)
        plan.mounts = mounts
        plan.availableIDs = privilege.idMaps
        plan.standardInput = surroundings.input
        plan.seccompDirectory = store.seccompDirectory
        sandbox.apply(to: &plan, isInsecure: false, filter: try sandbox.filter())
        return plan
    }
}

/// A directory or file of the host in a container: `HOST:CONTAINER[:ro]`.
public struct Volume: Sendable, Hashable {
    /// The path of the host, absolute.
    public var source: String
    /// The path inside the container, absolute.
    public var target: String
    /// Whether the container cannot write to it.
    public var isReadOnly: Bool

    /// Parses `HOST:CONTAINER[:ro|rw]`; a relative path of the host is taken from `directory`.
    /// - Throws: ``MalformedOption``.
    public init(parsing text: String, in directory: String) throws(MalformedOption) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let modes = ["ro": true, "rw": false]
        guard (2...3).contains(parts.count), !parts[0].isEmpty, parts[1].hasPrefix("/"), parts[1] != "/",
            let isReadOnly = modes[parts.count > 2 ? parts[2] : "rw"]
        else {
            throw MalformedOption(option: "--volume", value: text, expected: "HOST:CONTAINER, or HOST:CONTAINER:ro")
        }
        source = absolute(parts[0], in: directory)
        target = parts[1]
        self.isReadOnly = isReadOnly
    }

    func mount() throws(HostFileError) -> (SandboxPlan.Mount, isDirectory: Bool) {
        var information = stat()
        guard stat(source, &information) == 0 else { throw HostFileError("open", source, code: errno) }
        let kind = SandboxPlan.Mount.Kind.bind(source: source, relative: "", readOnly: isReadOnly, recursive: false)
        return (SandboxPlan.Mount(target: target, kind: kind), information.st_mode & S_IFMT == S_IFDIR)
    }
}

/// Files that every container sees and no layer has.
enum HostFiles {
    /// The machine's name servers.
    static var resolver: [UInt8] { (try? HostFile.read("/etc/resolv.conf", limit: 1 << 16)) ?? [] }

    static func mounts(
        hostname: String,
        hosts: [HostEntry],
        resolver: [UInt8]
    ) -> [(SandboxPlan.Mount, isDirectory: Bool)] {
        let names =
            "127.0.0.1\tlocalhost \(hostname)\n::1\tlocalhost ip6-localhost ip6-loopback\n"
            + hosts.map(\.line).joined()
        let files: [(String, [UInt8])] = [
            ("/etc/hosts", Array(names.utf8)), ("/etc/hostname", Array("\(hostname)\n".utf8)),
            ("/etc/resolv.conf", resolver),
        ]
        return files.map { target, contents in
            let kind = SandboxPlan.Mount.Kind.file(
                contents: contents,
                mode: 0o644,
                uid: 0,
                gid: 0,
                readOnly: false
            )
            return (SandboxPlan.Mount(target: target, kind: kind), false)
        }
    }
}
