import BuildFileParser
import Exec
import Glibc
import LayerDiff
import Logging
import OCI
import Store

extension StepRunner {
    func runCommand(_ step: RunStep) throws -> Outcome {
        environment.networks.beginStep()
        let base = try state(of: step.base)
        let key = try span(.key) { try runKey(step, on: base) }
        return try cached(key, on: base) { try execute(step, on: base) }
    }

    // MARK: The key

    func runKey(_ step: RunStep, on base: StepState) throws -> Key {
        var fields = StepFields()
        fields.set("kind", "run")
        fields.set("arguments", step.arguments)
        fields.set("script", step.scriptFile.map { [$0] } ?? [])
        fields.set("mounts", step.mounts.flatMap(\.definition))
        let definition = fields.digest(domain: "definition")
        fields.set("environment", step.environment.sorted())
        fields.set("user", step.user)
        fields.set("directory", step.workingDirectory)
        fields.set("network", step.network.rawValue)
        fields.set("platform", environment.platform.description)
        fields.set("hostname", step.hostname)
        for field in environment.sandbox.keyFields(isInsecure: step.isInsecure) { fields.set(field.name, field.values) }
        for (index, mount) in step.mounts.enumerated() {
            guard case .bind(let source, let path, _) = mount.kind else { continue }
            let content = try at(mountPlace(index)) { try bindDigest(source, path) }
            fields.set("bind \(mount.target)", content.digest.hex)
            fields.files += content.files
        }
        return Key(
            identity: StepIdentity(
                key: fields.digest(domain: "step"),
                definition: definition,
                parent: base.chainID
            ),
            fields: fields
        )
    }

    /// The place of a mount's flag.
    func mountPlace(_ index: Int) -> SourceRange? {
        let places = node.display.places.mounts
        return places.indices.contains(index) ? places[index] : nil
    }

    /// The digest of what a bind mount shows.
    private func bindDigest(_ source: FileSource, _ path: String) throws -> SelectionDigest {
        var name = FieldHasher(domain: "mount selection")
        if case .node(let node) = source {
            name.add(try state(of: node).chainID?.description ?? "")
            name.add(path)
        }
        let selectionName = name.finalize()
        if case .node = source, let digest = try store.selectionDigest(selectionName) {
            return SelectionDigest(digest: digest)
        }
        let (tree, place) = try tree(of: source)
        let root = try resolvedNode(path, in: tree, place: place)
        var items: [Selection.Item] = []
        try tree.walk(root) { node in
            let below = node.entry.path.dropping(root.entry.path)
            items.append(Selection.Item(relative: below, node: node, tree: 0))
        }
        let selection = Selection(
            groups: [Selection.Group(form: .directory, items: SelectedItems(items))],
            trees: [tree]
        )
        let content = try selection.digest(owner: nil, mode: nil)
        if case .node = source { try store.insertSelection(selectionName, digest: content.digest) }
        return content
    }

    func resolvedNode(_ path: String, in tree: any SourceTree, place: String) throws -> SourceNode {
        let resolved = try tree.resolve(ContainerPath(path), followLast: true)
        guard var node = try tree.node(resolved) else {
            throw CopyError.missing(
                path,
                in: place,
                hints: try SourceHints(tree: tree).hints(for: resolved, writtenAs: path)
            )
        }
        node.isImplicit = false
        return node
    }

    // MARK: Running

    private func execute(_ step: RunStep, on base: StepState) throws -> Produced {
        guard environment.privilege.isRoot else { throw NeedsRoot(privilege: environment.privilege) }
        waitForLayers(base.chain)
        let lowers = try span(.unpacking) { try store.directories(base.chain) }
        guard lowers.count <= TooManyLayers.limit else { throw TooManyLayers(count: lowers.count) }
        let setUp = environment.trace.start()
        let stack = try store.stack(base.chain)
        let user = try at(node.display.places.user) { try UserDatabase(in: stack).identity(step.user) }
        if let ids = environment.privilege.idMaps, !store.form.marksOwners {
            try at(node.display.places.user) { try user.check(ids) }
        }
        var mounts = MountBuilder(runner: self, stack: stack, user: user)
        try mounts.add(step)
        let place = try environment.places.take()
        let (upper, scratch) = (place.upper, place.scratch)
        var isKept = false
        defer { if !isKept { removeTree(scratch) } }
        try copyRootAttributes(of: stack, to: upper)
        let stubs = try environment.stubs.directory(for: mounts.points, in: stack, work: environment.work)
        var plan = SandboxPlan(
            root: SandboxPlan.Overlay(
                lowerDirectories: (stubs.map { [$0] } ?? []) + lowers,
                upperDirectory: upper,
                workDirectory: scratch,
                userXattr: store.form != .trusted
            ),
            mounts: mounts.plan,
            hostname: step.hostname,
            credentials: Credentials(
                uid: user.uid,
                gid: user.gid,
                supplementaryGroups: ([user.gid] + user.supplementaryGroups).uniqued()
            ),
            workingDirectory: step.workingDirectory,
            arguments: step.arguments,
            environment: commandEnvironment(step, user: user, secrets: mounts.environment)
        )
        plan.availableIDs = environment.privilege.idMaps
        plan.seccompDirectory = store.seccompDirectory
        // Nobody else is there to be: the supervisor says otherwise.
        let credentials = plan.credentials
        if store.form.marksOwners { plan.credentials = .root }
        environment.sandbox.apply(to: &plan, isInsecure: step.isInsecure, filter: environment.filter)
        // What is prepared before the step is known can neither be in its cgroups nor be another program's.
        let hasLane = environment.cgroups == nil && environment.sandbox.runtime == nil
        let network = try StepNetwork(
            step.network,
            for: plan,
            environment.networks,
            directory: hasLane ? { try environment.work.makeDirectory("lane", mode: 0o700) } : nil
        )
        plan.network = network.network
        let runtime = try environment.sandbox.runtime.map { program in
            try RuntimeStep(program, &plan, environment)
        }
        defer { runtime?.cleanUp() }
        if runtime == nil { try environment.filters.resolve(&plan) }
        let diagnosis = CommandDiagnosis(runner: self, step: step, stack: stack, upper: upper)
        environment.trace.end(.setUp, step: id.index, since: setUp)
        let layers = SupervisedLayers(
            store: store,
            chain: base.chain,
            devices: environment.deviceLayers,
            links: environment.ownedLinks
        )
        let supervisor = try OwnershipSupervisor.standIn(for: plan, as: credentials, on: layers)
        // Locks and agents of the mounts are held until the step has ended.
        let helpers = StepHelpers(network: network, owners: supervisor, runtime: runtime)
        let usage = try withExtendedLifetime(mounts) { try run(plan, helpers, diagnosis) }
        let (entries, rewritten) = try span(.diff) {
            let directory = try Directory(path: upper)
            let owners = StepOwners(
                recorded: (supervisor?.owners ?? [:]).mapValues(StepOwners.Record.init),
                ofNewFiles: OwnerMark.Owner(uid: user.uid, gid: user.gid)
            )
            let found = try UpperDirectory.changesAndRewrites(
                in: directory,
                above: stack,
                form: store.form,
                owners: owners
            )
            if store.form.marksOwners { try UpperDirectory.markOwners(of: found.entries.map(\.entry), in: directory) }
            return found
        }
        warn(ofRewritten: rewritten)
        isKept = true
        return Produced(entries: LayerEntries(entries), upper: upper, scratch: scratch, blob: place.blob, usage: usage)
    }

    /// Says what was weaker than it should be; memory that may be swapped matters where secrets are in it.
    private func tell(of compromises: Compromises, _ plan: SandboxPlan) {
        let hasSecrets = plan.mounts.contains { mount in
            if case .file(_, _, _, _, readOnly: true) = mount.kind { true } else { false }
        }
        let found = hasSecrets ? compromises : compromises.subtracting(.swap)
        for text in environment.compromises.sentences(for: found) { environment.progress.emit(.note("note: \(text)")) }
    }

    private func warn(ofRewritten bytes: Int64) {
        guard bytes >= RewrittenFiles.threshold, let range = node.display.range else { return }
        let finding = RewrittenFiles.finding(bytes: bytes, in: range)
        if environment.checks.applies(finding.rule) { environment.progress.emit(.finding(finding)) }
    }

    /// Once a build: each step that fails says it for itself.
    private func warn(of network: StepNetwork) {
        guard let complaint = network.complaint, environment.networks.isFirstWarning() else { return }
        environment.progress.emit(.note("warning: \(complaint)"))
    }

    /// The root directory of a fresh upper directory hides the one below: it must look the same.
    private func copyRootAttributes(of stack: LayerStack, to upper: String) throws {
        guard let root = stack.lookup(.root)?.entry else { return }
        try OwnerMark.set(.init(uid: root.uid, gid: root.gid), at: upper, form: store.form)
        guard chmod(upper, mode_t(root.mode)) == 0 else {
            throw HostFileError("set the attributes of", upper, code: errno)
        }
    }

    private func commandEnvironment(
        _ step: RunStep,
        user: UserDatabase.Identity,
        secrets: [(name: String, value: String)]
    ) -> [String] {
        var result = step.environment + step.proxyEnvironment
        if !result.contains(where: { $0.hasPrefix("HOME=") }) { result.append("HOME=\(user.home)") }
        for secret in secrets {
            result.removeAll { $0.hasPrefix("\(secret.name)=") }
            result.append("\(secret.name)=\(secret.value)")
        }
        return result
    }

    private func run(
        _ plan: SandboxPlan,
        _ helpers: StepHelpers,
        _ diagnosis: CommandDiagnosis
    ) throws -> StepUsage {
        let (network, runtime) = (helpers.network, helpers.runtime)
        let logPath = "\(try environment.logs.directory())/\(id.index).log"
        var output = OutputRecorder(log: StepLog(path: logPath), step: id.index, progress: environment.progress)
        let memory = MemoryShortage()
        let outcome: StepOutcome
        let began = environment.trace.start()
        if network.sandboxes == nil { environment.networks.remains.wait() }
        do {
            outcome = try plan.run(
                // Another runtime sets the limits itself.
                below: runtime == nil ? environment.cgroups : nil,
                cancellation: environment.cancellation,
                supervision: try environment.callFilters.supervision(by: helpers.supervisors),
                lane: network.sandboxes
            ) { stream, bytes in
                output.add(bytes, from: stream)
            }
        } catch let error as SandboxError {
            throw StepProblem(error, at: node.display.range, notes: diagnosis.notes(for: error))
        }
        output.finish()
        tell(of: outcome.compromises, plan)
        trace(outcome, since: began)
        warn(of: network)
        environment.logger.debug(
            """
            \(node.display.name): \(outcome.status), user \(outcome.userTime) µs, system \(outcome.systemTime) µs, \
            peak memory \(outcome.peakMemory) bytes
            """
        )
        guard outcome.status == .exited(0) else {
            // The message names it.
            output.createLog()
            if environment.cancellation.isCancelled { throw BuildError.cancelled }
            if let failure = runtime?.failure() { throw StepProblem(failure, at: node.display.range) }
            throw BuildError.command(
                CommandFailure(
                    display: node.display,
                    arguments: plan.arguments,
                    status: outcome.status,
                    tail: output.tail,
                    logPath: logPath,
                    notes: diagnosis.notes(for: outcome, output: output.tail, shortage: memory)
                        + (network.complaint.map { [$0] } ?? [])
                )
            )
        }
        if let failure = output.failure { throw failure }
        for note in LimitNotes(limits: environment.sandbox.limits, outcome: outcome).all {
            environment.progress.emit(.note("warning: step \(id.index + 1) ended well, but \(note)"))
        }
        return StepUsage(outcome)
    }
}

extension StepRunner {
    /// Notes when the sandbox was made, its command ran, and it was taken down.
    private func trace(_ outcome: StepOutcome, since began: Moment) {
        let (trace, step) = (environment.trace, id.index)
        let usage = StepUsage(outcome)
        guard let period = outcome.period else {
            return trace.end(.command, step: step, since: began, usage: usage)
        }
        let start = Moment(nanoseconds: period.lowerBound)
        let end = Moment(nanoseconds: period.upperBound)
        trace.end(.sandbox, step: step, since: began, at: start)
        trace.end(.command, step: step, since: start, at: end, usage: usage)
        trace.end(.tearDown, step: step, since: end)
    }
}

/// Who stands beside a step while it runs.
private struct StepHelpers {
    let network: StepNetwork
    /// Keeps the owners that this machine cannot give to files.
    let owners: OwnershipSupervisor?
    /// Another program that runs the step.
    let runtime: RuntimeStep?

    var supervisors: [any CallSupervisor] { network.supervisors + [owners].compactMap { $0 } }
}

/// More layers than an overlay takes.
struct TooManyLayers: Error, CustomStringConvertible {
    /// The kernel's OVL_MAX_STACK, less the directory with the mount points.
    static let limit = 499

    let count: Int

    var description: String {
        """
        RUN would stand on \(count) layers, and the kernel stacks no more than \(Self.limit); join RUN steps with &&, or \
        copy what is needed into a later stage
        """
    }
}

/// A sandbox was asked for by somebody who may not make one.
struct NeedsRoot: Error, CustomStringConvertible {
    let privilege: Privilege

    var description: String {
        switch privilege {
        case .user(let reason?): "RUN needs root, if only in a user namespace: \(reason)"
        case .user(nil), .root, .userNamespace:
            "RUN needs root, if only in a user namespace: call swbuild with sudo, or see `swbuild doctor` for what a "
                + "user namespace takes"
        }
    }
}

extension Array where Element: Hashable {
    /// Each element once, in order of first appearance.
    func uniqued() -> [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}

extension MountSpec {
    /// What of a mount belongs to the key, contents aside: never a secret's value.
    var definition: [String] {
        switch kind {
        case .bind(_, let path, let writable): ["bind", target, path, writable ? "rw" : "ro"]
        case .cache(let cache):
            [
                "cache", target, cache.id, cache.sharing.rawValue, cache.path, "\(cache.mode)", "\(cache.uid)",
                "\(cache.gid)", cache.readOnly ? "ro" : "rw",
            ]
        case .tmpfs(let size): ["tmpfs", target, size.map { "\($0)" } ?? ""]
        case .secret(let secret):
            [
                "secret", target, secret.id, secret.environment ?? "", "\(secret.isFile)", "\(secret.mode)",
                "\(secret.uid)", "\(secret.gid)",
            ]
        case .ssh(let id, _, let mode, let uid, let gid): ["ssh", target, id, "\(mode)", "\(uid)", "\(gid)"]
        }
    }
}
