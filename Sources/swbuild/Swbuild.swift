import ArgumentParser
import Dispatch

@main
enum Main {
    /// Waits in the main thread for the command, which runs beside it.
    ///
    /// An async main would hand the main thread to Dispatch, which takes signals there that all threads must block.
    static func main() {
        // First of all: a process enters a user namespace while it has one thread.
        _ = Startup.privilege
        Signals.block()
        Signals.watch()
        let done = DispatchSemaphore(value: 0)
        Task.detached {
            await Swbuild.main(Swbuild.reordered(Array(CommandLine.arguments.dropFirst())))
            done.signal()
        }
        done.wait()
    }
}

struct Swbuild: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "swbuild",
        abstract: "Builds OCI images from Dockerfile-style build files, without a daemon.",
        discussion: """
            'swbuild -f Buildfile -t app:latest .' builds an image into the store; '-o DIR' also writes it as an OCI \
            layout. Progress goes to standard error, results to standard output. The exit status is 0, that of the \
            failed step's command, 64 for bad usage, or 1.
            """,
        subcommands: [
            BuildCommand.self, CheckCommand.self, ContextCommand.self, ImagesCommand.self, InspectCommand.self,
            HistoryCommand.self, PullCommand.self, PushCommand.self, LoginCommand.self,
            LogoutCommand.self, TagCommand.self, SaveCommand.self, LoadCommand.self, IndexCommand.self,
            RunCommand.self, BundleCommand.self, DoctorCommand.self, RemoveCommand.self, PruneCommand.self,
            DiskUsageCommand.self, CacheCommand.self, VersionCommand.self,
        ],
        defaultSubcommand: BuildCommand.self
    )
}

extension Swbuild {
    /// The arguments with `--root`, where it stands before the verb, moved behind that: there it is expected.
    static func reordered(_ arguments: [String]) -> [String] {
        let arguments = withOptionalValues(arguments)
        let count = arguments.first == "--root" ? 2 : arguments.first?.hasPrefix("--root=") == true ? 1 : 0
        guard count > 0, arguments.count > count else { return arguments }
        let verb = arguments[count]
        let verbs = configuration.subcommands.flatMap { command in
            [command.configuration.commandName].compactMap { $0 } + command.configuration.aliases
        }
        guard verbs.contains(verb) else { return arguments }
        return [verb] + arguments[..<count] + arguments[(count + 1)...]
    }

    /// The arguments of a build, where options that need no value are given the one that they mean.
    private static func withOptionalValues(_ arguments: [String]) -> [String] {
        let verbs = configuration.subcommands.compactMap { $0.configuration.commandName }
        if let verb = arguments.first(where: verbs.contains), verb != "build" { return arguments }
        let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
        return arguments[..<end].map { BuildPullOptions.meanings[$0] ?? $0 } + arguments[end...]
    }
}
