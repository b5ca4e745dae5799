import ArgumentParser
import Dispatch
import Exec
import Glibc

@main
enum Main {
    /// Waits in the main thread for the command, which runs beside it.
    ///
    /// An async main would hand the main thread to Dispatch, which takes signals there that all threads must block.
    static func main() {
        openStandardDescriptors()
        ProgramData.makeOwn()
        // Before all else: a process enters a user namespace while it has one thread.
        _ = Startup.privilege
        Signals.block()
        Signals.watch()
        let done = DispatchSemaphore(value: 0)
        Task.detached {
            let arguments = Swbuild.reordered(Array(CommandLine.arguments.dropFirst()))
            if let command = Swbuild.plainCommand(arguments) {
                do { try await run(command) } catch { Swbuild.exit(withError: error) }
            } else {
                await Swbuild.main(arguments)
            }
            done.signal()
        }
        done.wait()
    }

    private static func run(_ command: any ParsableCommand) async throws {
        var command = command
        if var waiting = command as? any AsyncParsableCommand {
            try await waiting.run()
        } else {
            try command.run()
        }
    }

    /// Opens those of the descriptors 0, 1 and 2 that the caller has closed: the next file to be opened would get their
    /// numbers, and what is printed would go into it.
    private static func openStandardDescriptors() {
        var number = open("/dev/null", O_RDWR)
        while (0...2).contains(number) { number = open("/dev/null", O_RDWR) }
        if number > 2 { close(number) }
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
    /// The command that the arguments ask for, where they do so plainly and without a mistake.
    ///
    /// Finding the command by way of the whole program's costs several times what parsing its options does. Of what is
    /// not plain, and of mistakes, the whole program's parser tells.
    static func plainCommand(_ arguments: [String]) -> (any ParsableCommand)? {
        let others = ["-h", "--help", "--help-hidden", "--version", "help"]
        let isForOthers = arguments.contains { word in
            others.contains(word) || word.hasPrefix("---") || word.hasPrefix("--generate-completion-script")
        }
        guard let first = arguments.first, !isForOthers else { return nil }
        // A verb that is said, or `build`.
        guard verbs.contains(first) else { return try? BuildCommand.parse(arguments) }
        let named = configuration.subcommands.first { command in
            command.configuration.commandName == first && command.configuration.subcommands.isEmpty
        }
        return try? named?.parse(Array(arguments.dropFirst()))
    }

    private static var verbs: [String] {
        configuration.subcommands.flatMap { command in
            [command.configuration.commandName].compactMap { $0 } + command.configuration.aliases
        }
    }

    /// The arguments with `--root`, where it stands before the verb, moved behind that: there it is expected.
    static func reordered(_ arguments: [String]) -> [String] {
        let arguments = withOptionalValues(arguments)
        let count = arguments.first == "--root" ? 2 : arguments.first?.hasPrefix("--root=") == true ? 1 : 0
        guard count > 0, arguments.count > count else { return arguments }
        let verb = arguments[count]
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
