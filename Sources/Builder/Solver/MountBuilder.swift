import Exec
import Glibc
import LayerDiff
import OCI
import Store

/// Turns the mounts of a RUN into those of its sandbox.
///
/// Locks on caches are held as long as the value lives.
struct MountBuilder {
    private let runner: StepRunner
    private let stack: LayerStack
    private let user: UserDatabase.Identity
    private(set) var plan: [SandboxPlan.Mount] = []
    /// The mount points outside of earlier mounts, and whether each is a directory.
    private(set) var points: [MountPointStubs.Point] = []
    /// Secrets that are variables.
    private(set) var environment: [(name: String, value: String)] = []
    private var locks: [StepLock] = []
    private var relays: [AgentRelay] = []

    init(runner: StepRunner, stack: LayerStack, user: UserDatabase.Identity) {
        self.runner = runner
        self.stack = stack
        self.user = user
    }

    mutating func add(_ step: RunStep) throws {
        addHostFiles(step)
        for device in runner.environment.sandbox.devices { place(device.mount, at: device.target, isDirectory: false) }
        // In the order of their names, so that two steps with the same two locked caches cannot wait for each other.
        for mount in step.mounts.compactMap(\.lockedCache).sorted() { try lock(mount) }
        let runner = runner
        for (index, mount) in step.mounts.enumerated() {
            try runner.at(runner.mountPlace(index)) { try add(mount) }
        }
        if let script = step.scriptFile, let path = step.arguments.last {
            place(
                .file(contents: Array(script.utf8), mode: 0o755, uid: 0, gid: 0, readOnly: true),
                at: path,
                isDirectory: false
            )
        }
    }

    /// Files that every step sees and no layer has.
    private mutating func addHostFiles(_ step: RunStep) {
        let networks = runner.environment.networks
        let files = HostFiles.mounts(
            hostname: step.hostname,
            hosts: runner.environment.sandbox.hosts,
            resolver: networks.resolverFile(HostFiles.resolver, for: step.network)
        )
        for (mount, isDirectory) in files {
            place(mount.kind, at: mount.target, isDirectory: isDirectory)
        }
    }

    private mutating func place(_ kind: SandboxPlan.Mount.Kind, at target: String, isDirectory: Bool) {
        let isInside = (MountPointStubs.systemMounts + plan.map(\.target)).contains { target.hasPrefix($0 + "/") }
        if !isInside { points.append(MountPointStubs.Point(path: target, isDirectory: isDirectory)) }
        plan.append(SandboxPlan.Mount(target: target, kind: kind))
    }

    private mutating func add(_ mount: MountSpec) throws {
        switch mount.kind {
        case .bind(let source, let path, let writable):
            let (kind, isDirectory) = try bind(source, path, writable: writable)
            place(kind, at: mount.target, isDirectory: isDirectory)
        case .cache(let cache): place(try self.cache(cache), at: mount.target, isDirectory: true)
        case .tmpfs(let size): place(.tmpfs(size: size, mode: 0o1777), at: mount.target, isDirectory: true)
        case .secret(let secret): try add(secret, at: mount.target)
        case .ssh(let id, let required, let mode, let uid, let gid):
            let (work, cancellation) = (runner.environment.work, runner.environment.cancellation)
            guard let agent = try runner.environment.agents.socket(of: id, work: work, cancellation) else {
                if required { throw MissingAgent(id: id) }
                return
            }
            let relay = try AgentRelay(
                to: agent,
                in: work.makeDirectory("ssh", mode: 0o700),
                access: runner.store.form.marksOwners
                    ? AgentRelay.Access(uid: 0, gid: 0, mode: mode) : AgentRelay.Access(uid: uid, gid: gid, mode: mode)
            )
            relays.append(relay)
            // Read-only: one may speak with the agent all the same, but not change its socket's owner or mode.
            let kind = SandboxPlan.Mount.Kind.bind(source: relay.path, relative: "", readOnly: true, recursive: false)
            place(kind, at: mount.target, isDirectory: false)
            // Of several agents, the first is the one that programs find by themselves.
            let variable = "SSH_AUTH_SOCK"
            if !environment.contains(where: { $0.name == variable }) { environment.append((variable, mount.target)) }
        }
    }

    private mutating func add(_ secret: MountSpec.SecretFile, at target: String) throws {
        guard let value = runner.environment.secrets[secret.id] else {
            if secret.required { throw MissingSecret(id: secret.id) }
            return
        }
        if let name = secret.environment {
            guard !value.contains(0), let text = String(validating: value, as: UTF8.self) else {
                throw SecretNotText(id: secret.id)
            }
            environment.append((name, text))
        }
        guard secret.isFile else { return }
        // Where there is one id, everybody in the step is that one.
        let (uid, gid) = runner.store.form.marksOwners ? (0, 0) : (secret.uid, secret.gid)
        place(
            .file(contents: value, mode: secret.mode, uid: uid, gid: gid, readOnly: true),
            at: target,
            isDirectory: false
        )
    }

    // MARK: Binds

    private func bind(
        _ source: FileSource,
        _ path: String,
        writable: Bool
    ) throws -> (kind: SandboxPlan.Mount.Kind, isDirectory: Bool) {
        let (tree, place) = try runner.tree(of: source)
        let node = try runner.resolvedNode(path, in: tree, place: place)
        let relative = String(decoding: node.entry.path.bytes, as: UTF8.self)
        let lower: [String]
        switch source {
        case .node(let id): lower = try runner.store.directories(try runner.state(of: id).chain)
        case .context(let index):
            let context = runner.environment.contexts[index]
            lower = [try mustBeCopied(index, node) ? try snapshot(tree, node) : context.path]
        case .none: lower = []
        }
        let kind: SandboxPlan.Mount.Kind
        if writable {
            kind = .discardedWrites(
                lower: lower,
                relative: relative,
                upper: try runner.environment.work.makeDirectory("mount-upper"),
                work: try runner.environment.work.makeDirectory("mount-work", mode: 0o700)
            )
        } else if case .context = source, let directory = lower.first {
            // Not a bind: a program of the host may listen at a socket in there, or read from a pipe.
            let empty = try runner.environment.work.makeDirectory("mount-empty")
            kind = .view(source: directory, relative: relative, empty: empty)
        } else {
            kind = .layers(lower: lower, relative: relative)
        }
        return (kind, node.entry.isDirectory)
    }

    /// Whether a mount would show what the context does not: excluded files, or owners of the host's.
    ///
    /// A context's files are root's, as in COPY: what a step makes must not depend on who checked the sources out.
    private func mustBeCopied(_ index: Int, _ start: SourceNode) throws -> Bool {
        let context = runner.environment.contexts[index]
        var isForeign = context.isFiltered
        guard !isForeign else { return true }
        try context.walk(start) { node in
            if node.isForeign { isForeign = true }
        }
        return isForeign
    }

    /// A copy of what a context shows of a path.
    private func snapshot(_ tree: any SourceTree, _ start: SourceNode) throws -> String {
        let directory = try runner.environment.work.makeDirectory("snapshot")
        var entries: [LayerEntry] = []
        try tree.walk(start) { node in
            guard !node.entry.path.isRoot else { return }
            entries.append(LayerEntry(entry: node.entry, content: try content(of: node, in: tree)))
        }
        try TreeWriter.write(entries, to: directory, as: runner.store.form)
        return directory
    }

    private func content(of node: SourceNode, in tree: any SourceTree) throws -> ContentSource {
        if case .file = node.entry.kind { try tree.content(node) } else { .none }
    }

    // MARK: Caches

    private mutating func lock(_ name: String) throws {
        locks.append(StepLock(try runner.store.lock("cache mount \(name)")))
    }

    private mutating func cache(_ cache: MountSpec.Cache) throws -> SandboxPlan.Mount.Kind {
        let source = try seed(of: cache)
        let directory: String
        if cache.sharing == .private {
            directory = try privateCache(cache, seed: source)
        } else {
            directory = try runner.store.cacheMount(cache.identity, name: cache.id) { path in
                try prepare(path, cache: cache, seed: source)
            }
        }
        return .bind(source: directory, relative: "", readOnly: cache.readOnly, recursive: false)
    }

    /// The first instance that nobody uses now.
    private mutating func privateCache(_ cache: MountSpec.Cache, seed: [LayerEntry]) throws -> String {
        for instance in 0..<1000 {
            let name = "\(cache.identity) private \(instance)"
            guard let lock = try runner.store.lockIfFree("cache mount \(name)") else { continue }
            locks.append(StepLock(lock))
            return try runner.store.cacheMount(name, name: cache.id) { path in
                try prepare(path, cache: cache, seed: seed)
            }
        }
        throw CacheBusy(id: cache.id)
    }

    private func seed(of cache: MountSpec.Cache) throws -> [LayerEntry] {
        guard case .node = cache.source else { return [] }
        let (tree, place) = try runner.tree(of: cache.source)
        let root = try runner.resolvedNode(cache.path, in: tree, place: place)
        var entries: [LayerEntry] = []
        try tree.walk(root) { node in
            var entry = node.entry
            entry.path = ContainerPath(cleaning: entry.path.bytes.dropFirst(root.entry.path.bytes.count))
            guard !entry.path.isRoot else { return }
            entries.append(LayerEntry(entry: entry, content: try content(of: node, in: tree)))
        }
        return entries
    }

    private func prepare(_ path: String, cache: MountSpec.Cache, seed: [LayerEntry]) throws {
        if !seed.isEmpty { try TreeWriter.write(seed, to: path, as: runner.store.form) }
        try OwnerMark.set(.init(uid: cache.uid, gid: cache.gid), at: path, form: runner.store.form)
        guard chmod(path, mode_t(cache.mode)) == 0 else {
            throw HostFileError("set the attributes of", path, code: errno)
        }
    }
}

extension MountSpec {
    fileprivate var lockedCache: String? {
        guard case .cache(let cache) = kind, cache.sharing == .locked else { return nil }
        return cache.identity
    }
}

extension MountSpec.Cache {
    /// Caches of one id that begin from different trees are different caches.
    fileprivate var identity: String {
        switch source {
        case .none: id
        case .context(let index): "\(id) from context \(index) \(path)"
        case .node: "\(id) from stage \(path)"
        }
    }
}

/// A secret that a step requires and the caller did not give.
struct MissingSecret: Error, CustomStringConvertible {
    let id: String

    var description: String { "the secret `\(id)` is required; give it with --secret id=\(id),src=FILE" }
}

/// A secret that cannot be the value of a variable.
struct SecretNotText: Error, CustomStringConvertible {
    let id: String

    var description: String {
        "the secret `\(id)` has a zero byte or is not UTF-8, and cannot be the value of a variable; mount it as a file"
    }
}

/// An agent that a step requires and the caller did not give.
struct MissingAgent: Error, CustomStringConvertible {
    let id: String

    var description: String {
        "the ssh agent `\(id)` is required; give it with --ssh \(id), --ssh \(id)=SOCKET or --ssh \(id)=KEYFILE"
    }
}

/// All private instances of a cache are in use.
struct CacheBusy: Error, CustomStringConvertible {
    let id: String

    var description: String { "the cache `\(id)` is in use a thousand times; wait for other builds to end" }
}
