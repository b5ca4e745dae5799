import ArgumentParser
import BuildFileParser
import Builder

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Checks a build file without building it.",
        discussion: "The exit status is 0 if nothing was found, 1 otherwise. docs/rules explains what is checked."
    )

    @OptionGroup var global: GlobalOptions
    @OptionGroup var source: BuildSourceOptions

    @Option(name: .long, help: "The form of the result: text or json.")
    var format: ResultFormat = .text

    func run() async throws {
        try runCall(.check, format, source, global)
    }
}

/// Reads the build file and carries out a call; errors become a message and an exit status.
func runCall(_ method: Call, _ format: ResultFormat, _ source: BuildSourceOptions, _ global: GlobalOptions) throws {
    let reporter = BuildReporter(style: .plain)
    do {
        var request = BuildRequest()
        try source.fill(&request, in: Console.workingDirectory)
        let inputs = try source.loadInputs(for: request, global)
        defer { inputs.discard() }
        inputs.fill(&request)
        reporter.sourceName = request.buildFileName
        reporter.source = request.buildFile
        if try BuildFileCall(method: method, format: format, request: request).print() { return }
    } catch let error as Diagnostic {
        throw ExitCode(reporter.report(BuildError.diagnostic(error)))
    } catch {
        throw ExitCode(reporter.report(error))
    }
    throw ExitCode(1)
}
