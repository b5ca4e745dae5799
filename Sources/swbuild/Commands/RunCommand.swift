import ArgumentParser
import Builder
import Exec
import Glibc

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Runs an image in the sandbox of build steps, for a look: what it writes is thrown away.",
        discussion: """
            The exit status is that of the command: 128 and the signal's number where one ended it, 127 where it was \
            not found, 126 where it cannot be executed; 125 where swbuild itself failed.
            """
    )

    @OptionGroup var global: GlobalOptions
    @OptionGroup var container: ContainerArguments
    @OptionGroup var sandbox: BuildSandboxOptions
    @OptionGroup var limits: BuildLimitOptions

    @Option(name: .shortAndLong, help: "A directory or file of the host: HOST:CONTAINER[:ro].")
    var volume: [String] = []

    @Argument(help: "The image: a name, a digest, or the beginning of one.")
    var image: String

    @Argument(parsing: .captureForPassthrough, help: "The command, in place of the image's.")
    var command: [String] = []

    func run() async throws {
        let status: Int32
        do {
            status = try await start()
        } catch let error as MalformedOption {
            Console.note("swbuild: \(error)")
            status = 64
        } catch let error as SandboxError {
            Console.note("swbuild: \(error)")
            status = error.shellStatus ?? 125
        } catch {
            Console.note("swbuild: \(error)")
            status = 125
        }
        if status != 0 { throw ExitCode(status) }
    }

    /// Runs it, and gives the exit status.
    private func start() async throws -> Int32 {
        let directory = Console.workingDirectory
        var request = BuildRequest()
        try sandbox.fill(&request, in: directory)
        try limits.fill(&request)
        var surroundings = ImageRunner.Surroundings()
        surroundings.network = request.network
        surroundings.sandbox = request.sandbox
        surroundings.volumes = try volume.map { text throws in try Volume(parsing: text, in: directory) }
        let hasTerminal = isatty(0) == 1 && isatty(1) == 1
        surroundings.input = hasTerminal ? .terminal : .pipe
        var options = try container.options(command: command)
        if hasTerminal, let kind = Console.environment("TERM") { options.environment.insert(("TERM", kind), at: 0) }
        let store = try global.openStore()
        let runner = ImageRunner(
            store: store,
            image: try StoredImages(store: store).find(image),
            privilege: Startup.privilege
        )
        let signals = SignalRelay()
        Signals.passOn(to: signals)
        let terminal = hasTerminal ? RawTerminal(0) : nil
        defer { terminal?.restore() }
        let outcome = try await runner.run(
            options,
            surroundings,
            attachedTo: Attachment(signals: signals),
            cancellation: Cancellation()
        )
        for note in outcome.notes { Console.note("swbuild: \(note)") }
        switch outcome.status {
        case .exited(let code): return code
        case .signaled(let signal): return 128 + signal
        }
    }
}
