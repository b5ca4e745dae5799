import ArgumentParser
import Builder
import OCI

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Says what this machine allows builds to do, and what mends what it does not.",
        discussion: "The exit status is 0 if builds can run, 1 otherwise. Nothing is changed."
    )

    @OptionGroup var global: GlobalOptions

    @Option(name: .long, help: "The form of the result: text or json.")
    var format: ResultFormat = .text

    func run() async throws {
        let facts = MachineFacts.find(
            stateDirectory: global.stateDirectory,
            searchPath: Console.environment("PATH") ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        )
        let report = DoctorReport(facts: facts)
        try await reporting {
            switch format {
            case .text: try Console.print(report.text(hasColor: Console.hasColor(on: 1)))
            case .json: try Console.print(try report.json.prettyPrinted())
            }
        }
        if !report.allowsBuilds { throw ExitCode(1) }
    }
}
