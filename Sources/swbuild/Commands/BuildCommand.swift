import ArgumentParser
import Builder
import Exec
import Glibc
import Logging
import OCI

struct BuildCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build",
        _superCommandName: "swbuild",
        abstract: "Builds an image from a build file and a context (the default command)."
    )

    @OptionGroup var global: GlobalOptions
    @OptionGroup var source: BuildSourceOptions
    @OptionGroup var result: BuildResultOptions
    @OptionGroup var sandbox: BuildSandboxOptions
    @OptionGroup var trust: BuildFileTrustOptions
    @OptionGroup var limits: BuildLimitOptions
    @OptionGroup var call: CallOptions

    @Flag(name: .long, help: "Runs every step, whatever the cache has.")
    var noCache = false

    @Option(name: .long, help: "Runs the steps of a stage, whatever the cache has.")
    var noCacheFilter: [String] = []

    @OptionGroup var registries: RegistryOptions
    @OptionGroup var pulls: BuildPullOptions

    @Option(name: .shortAndLong, help: "How many steps run at the same time (default: the number of processors).")
    var jobs: Int?

    @Option(name: .long, help: "How progress is shown: auto, plain, rawjson or quiet.")
    var progress: ProgressStyle = .auto

    @Flag(name: .shortAndLong, help: "Shows no progress and prints the image's digest alone.")
    var quiet = false

    @Flag(name: .long, help: "Logs keys, layers and what steps used, for finding faults.")
    var debug = false

    func validate() throws {
        if let jobs, jobs < 1 { throw ValidationError("--jobs \(jobs): expected a number from 1 on") }
    }

    func run() async throws {
        let (method, format) = call.request
        if method != .build { return try runCall(method, format, source, global) }
        let reporter = BuildReporter(style: quiet ? .quiet : progress)
        let trace = result.trace != nil || reporter.showsTimes ? Trace.recording() : .off
        var status = await build(reporter, trace)
        do {
            try result.write(trace)
        } catch {
            let failure = reporter.report(error)
            if status == 0 { status = failure }
        }
        if status != 0 { throw ExitCode(status) }
    }

    /// Builds, tells `reporter` what came of it, and gives the exit status.
    private func build(_ reporter: BuildReporter, _ trace: Trace) async -> Int32 {
        do {
            var request = try makeRequest()
            let store = try global.openStore()
            if let reason = Startup.shortfall { reporter.sink.emit(.note(Self.oneIDNote(reason))) }
            let cancellation = Cancellation()
            // Before anything is started that an interrupt must end.
            Signals.cancelOnInterrupt(cancellation)
            try request.runSecretCommands(cancellation)
            let remotes = try RemoteSources(store: store, request: request, cancellation: cancellation)
            let loader = source.inputLoader(remotes: remotes)
            if let origin = loader.origin {
                reporter.sink.emit(.note("fetching the build context \(origin)"))
            } else {
                // Reading files, or what somebody types, cannot be cancelled.
                Signals.cancelOnInterrupt(nil)
            }
            let inputs = try trace.loadingInputs { try loader.load() }
            defer { inputs.discard() }
            inputs.fill(&request)
            reporter.sourceName = request.buildFileName
            reporter.source = request.buildFile
            Signals.cancelOnInterrupt(cancellation)
            let builder = ImageBuilder(
                store: store,
                progress: reporter.sink,
                cancellation: cancellation,
                logger: logger,
                trace: trace,
                privilege: Startup.privilege
            )
            let built = try await builder.build(request)
            reporter.finish()
            try pulls.write(built.sources)
            try result.write(built, quiet: quiet)
            reporter.reportFindings()
            return 0
        } catch {
            reporter.finish()
            let status = reporter.report(error)
            reporter.reportFindings()
            return status
        }
    }

    private static func oneIDNote(_ reason: UserNamespaceError) -> String {
        "note: steps have your own id alone, and the owners of files are kept as attributes beside them: \(reason)"
    }

    private var logger: Logger {
        var logger = Logger(label: "swbuild") { label -> any LogHandler in
            if debug { StreamLogHandler.standardError(label: label) } else { SwiftLogNoOpLogHandler() }
        }
        logger.logLevel = .debug
        return logger
    }

    private func makeRequest() throws -> BuildRequest {
        var request = BuildRequest()
        try source.fill(&request, in: Console.workingDirectory)
        try result.fill(&request, in: Console.workingDirectory)
        try sandbox.fill(&request, in: Console.workingDirectory)
        try trust.fill(&request, in: Console.workingDirectory)
        try limits.fill(&request)
        try pulls.fill(&request, registries)
        if noCache {
            request.cachePolicy = .ignore
        } else if !noCacheFilter.isEmpty {
            let names = noCacheFilter.flatMap { $0.split(separator: ",").map(String.init) }
            request.cachePolicy = .ignoreStages(names)
        }
        request.jobs = jobs ?? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        request.sourceDateEpoch = Console.environment("SOURCE_DATE_EPOCH")
        return request
    }
}
