import BuildFileParser
import Exec
import Glibc
import LayerDiff
import Logging
import OCI
import Store

/// Builds images: the whole way from a request to an image in the store and its outputs.
public struct ImageBuilder: Sendable {
    private let store: Store
    private let progress: any ProgressSink
    private let cancellation: Cancellation
    private let logger: Logger
    private let trace: Trace
    private let privilege: Privilege

    /// A builder on a store, which tells `progress` what happens and stops when `cancellation` says so.
    ///
    /// What matters only to who looks for a fault goes to `logger`, and where the time goes to `trace`.
    public init(
        store: Store,
        progress: any ProgressSink,
        cancellation: Cancellation,
        logger: Logger = Logger(label: "swbuild") { _ in SwiftLogNoOpLogHandler() },
        trace: Trace = .off,
        privilege: Privilege = .current()
    ) {
        self.privilege = privilege
        self.logger = logger
        self.trace = trace
        self.store = store
        self.progress = progress
        self.cancellation = cancellation
    }

    /// Builds what `request` asks for.
    /// - Throws: ``BuildError``.
    public func build(_ request: BuildRequest) async throws -> BuildResult {
        do {
            return try await carryOut(request)
        } catch let error as BuildError {
            throw error
        } catch let error as Diagnostic {
            throw BuildError.diagnostic(error)
        } catch {
            throw BuildError.general(error)
        }
    }

    private func carryOut(_ request: BuildRequest) async throws -> BuildResult {
        let checks = try BuildFileChecks(request)
        let hold = try store.holdForBuild()
        defer { withExtendedLifetime(hold) {} }
        let registries = Registries(insecure: request.insecureRegistries, cancellation: cancellation) { [progress] in
            progress.emit(.note("warning: \($0)"))
        }
        let puller = ImagePuller(store: store, registries: registries)
        let sources = UsedSources(contexts: request.namedContexts, locked: request.locked)
        if let context = request.contextSource { try sources.use(context) }
        // On a thread: base images may have to be asked for at their registries.
        let plan = try await onThread { [self] in
            try trace.span(.planning) { try self.plan(request, checks, puller, sources) }
        }
        trace.nameSteps(plan.graph.nodes.map(\.display.name))
        for warning in plan.warnings { progress.emit(.warning(warning)) }
        let epoch = try plan.sourceDateEpoch.map(SourceDateEpoch.parse)
        let secrets = try SecretValues.read(request.secrets, cancellation)
        let agents = try SSHAgents(request)
        let leaks = try leakCheck(request, secrets, agents)
        try leaks.check(plan, annotations: request.annotations)
        let work = try store.makeWorkDirectory(isLazy: true)
        let hashes = contentHashes(request)
        let remotes = try RemoteSources(store: store, request: request, cancellation: cancellation)
        let opener = ContextOpener(
            remotes: remotes,
            work: work,
            hashes: hashes,
            origin: request.contextOrigin,
            sources: sources
        )
        let environment = StepEnvironment(
            store: store,
            work: work,
            parts: StepEnvironment.Parts(
                cancellation: cancellation,
                progress: progress,
                logger: logger,
                secrets: secrets,
                agents: agents,
                platform: request.platform,
                sandbox: request.sandbox,
                filter: try request.sandbox.filter(),
                cgroups: try request.sandbox.prepareCgroups(),
                logs: LogDirectory(in: "\(store.root)/logs"),
                contexts: try trace.span(.opening) { try plan.graph.contexts.map { try opener.open($0) } },
                checks: checks.options,
                remotes: remotes,
                puller: puller,
                sources: sources,
                leaks: leaks,
                trace: trace,
                privilege: privilege,
                networkHelpers: NetworkHelper.installed(),
                commandCount: plan.graph.nodes.count { if case .run = $0.operation { true } else { false } }
            )
        )
        let solver = Solver(graph: plan.graph, environment: environment)
        defer { hashes?.save() }
        let states: [NodeID: StepState]
        do {
            states = try await solver.solve(target: plan.result.node, jobs: request.jobs)
        } catch {
            // All steps have ended. The error may be told, and the program be over, before their threads let go of it.
            work.remove()
            throw error
        }
        guard !cancellation.isCancelled else { throw BuildError.cancelled }
        let image = try await write(
            request,
            registries,
            by: { ImageWriter(store: store, work: work, states: states, epoch: epoch, compression: $0) },
            of: plan.result
        )
        if trace.isOn { progress.emit(.times(trace.times())) }
        return BuildResult(
            image: image,
            tags: request.tags,
            steps: summaries(plan.graph, states),
            sources: sources.all
        )
    }

    /// What is remembered of the files of a local context.
    private func contentHashes(_ request: BuildRequest) -> ContentHashes? {
        // What was brought here for this build has new files each time: there is nothing to remember of them.
        guard request.contextOrigin == nil else { return nil }
        return request.contextPath.map { path in
            ContentHashes(path: "\(store.root)/contexts/\(Digest(of: path.utf8).hex.prefix(32))")
        }
    }

    /// Writes the image into the store, and the outputs.
    private func write(
        _ request: BuildRequest,
        _ registries: Registries,
        by writer: (BlobCompression) -> ImageWriter,
        of result: StageResult
    ) async throws -> BuiltImage {
        func write(_ compression: BlobCompression) throws -> BuiltImage {
            try trace.span(.image) { try writer(compression).write(result, annotations: request.annotations) }
        }
        // The store's image, and what is reported, have the form of the first output.
        let compression = request.outputs.first?.compression ?? .gzip
        let image = try write(compression)
        try publish(image, tags: request.tags)
        for output in request.outputs {
            guard !cancellation.isCancelled else { throw BuildError.cancelled }
            let exported = output.compression == compression ? image : try write(output.compression)
            let began = trace.start()
            defer { trace.end(.output, since: began) }
            let exporter = Exporter(
                store: store,
                image: exported,
                tags: request.tags,
                trace: trace,
                pusher: ImagePusher(store: store, registries: registries),
                progress: progress
            )
            try await exporter.write(output)
        }
        return image
    }

    /// Plans, and reports what the checks found: also where planning fails, since they may say why.
    private func plan(
        _ request: BuildRequest,
        _ checks: BuildFileChecks,
        _ puller: ImagePuller,
        _ sources: UsedSources
    ) throws -> BuildPlan {
        let plan: BuildPlan
        do {
            let images = BuildImages(store: store, puller: puller, policy: request.pull, sources: sources)
            plan = try Planner.plan(checks.file, request: request, images: images)
        } catch {
            for finding in checks.findings() { progress.emit(.finding(finding)) }
            throw error
        }
        try checks.report(checks.findings(baseImages: plan.baseImages), to: progress)
        return plan
    }

    /// The check for what this build keeps secret; says what it cannot look for.
    private func leakCheck(
        _ request: BuildRequest,
        _ secrets: [String: [UInt8]],
        _ agents: SSHAgents
    ) throws -> LeakCheck {
        guard request.checksLeaks else { return .off }
        let values = secrets.keys.sorted().map { (SecretName.secret($0), secrets[$0] ?? []) }
        let check = try LeakCheck(
            for: values + agents.keyValues.map { (SecretName.key(agent: $0.id), $0.value) },
            store: store,
            fileName: request.buildFileName
        )
        for note in check.notes { progress.emit(.note(note)) }
        return check
    }

    private func publish(_ image: BuiltImage, tags: [ImageReference]) throws {
        try trace.span(.disk) { try store.synchronize() }
        let began = trace.start()
        defer { trace.end(.publishing, since: began) }
        guard !tags.isEmpty else {
            try store.images.updateIndex { index in
                guard !index.manifests.contains(where: { $0.digest == image.descriptor.digest }) else { return }
                index.manifests.append(image.descriptor)
            }
            return
        }
        for tag in tags { try store.images.tag(image.descriptor, as: tag.tagged.familiar) }
    }

    private func summaries(_ graph: BuildGraph, _ states: [NodeID: StepState]) -> [StepSummary] {
        graph.nodes.enumerated().compactMap { index, node in
            guard node.operation != .scratch, let state = states[NodeID(index: index)] else { return nil }
            return StepSummary(
                display: node.display,
                isCached: state.isCached,
                seconds: state.seconds,
                usage: state.usage
            )
        }
    }
}

extension IgnoreFile {
    /// The name for messages about a context: without the context's path where it is in there.
    func shortName(in context: String) -> String {
        name.hasPrefix(context + "/") ? String(name.dropFirst(context.utf8.count + 1)) : name
    }

    /// The rules of the file.
    func rules() throws -> IgnoreRules {
        do {
            return try IgnoreRules(parsing: bytes)
        } catch {
            // Its place is one of the ignore file, not of the build file that other diagnostics quote.
            throw MalformedIgnoreFile(file: self, diagnostic: error)
        }
    }
}

extension IgnoreFile {
    /// The ignore file beside a build file, which is for that one alone, else the context's.
    static func find(beside buildFile: String?, in directory: String) throws -> IgnoreFile? {
        for suffix in [".containerignore", ".dockerignore"] {
            guard let name = buildFile.map({ $0 + suffix }), HostFile.exists(name) else { continue }
            return IgnoreFile(name: name, bytes: try HostFile.readRegular(name, limit: 16 << 20))
        }
        return try find(in: directory)
    }

    /// A context's own ignore file, `.containerignore` before `.dockerignore`.
    /// - Throws: ``HostFileError`` where one is there and cannot be read.
    public static func find(in directory: String) throws -> IgnoreFile? {
        try ContextFiles(path: directory, isForeign: false).ignoreFile()
    }
}

/// An ignore file with a pattern that is none.
public struct MalformedIgnoreFile: Error, CustomStringConvertible {
    /// The file.
    public let file: IgnoreFile
    /// What is wrong, at a place of that file.
    public let diagnostic: Diagnostic

    /// The file, the line and what is wrong.
    public var description: String {
        "\(file.name)\(diagnostic.range.map { ":\($0.start.line)" } ?? ""): \(diagnostic.message)"
    }
}

/// SOURCE_DATE_EPOCH: the moment that stands for all times of a build.
///
/// Source: reproducible-builds.org, "SOURCE_DATE_EPOCH specification".
enum SourceDateEpoch {
    static func parse(_ text: String) throws -> Int64 {
        guard let seconds = Int64(text), text.first != "+", seconds >= 0, seconds <= 253_402_300_799 else {
            throw MalformedOption(
                option: "SOURCE_DATE_EPOCH",
                value: text,
                expected: "a number of seconds since 1970-01-01"
            )
        }
        return seconds
    }
}
