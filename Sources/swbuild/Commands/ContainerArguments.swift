import ArgumentParser
import Builder

/// What a container does, in place of what its image says.
struct ContainerArguments: ParsableArguments {
    @Option(name: .long, help: "The program before the command, in place of the image's ENTRYPOINT; '' for none.")
    var entrypoint: String?

    @Option(name: .shortAndLong, help: "A variable: NAME=VALUE, or NAME for that of the environment.")
    var env: [String] = []

    @Option(name: .shortAndLong, help: "Who it runs as: a name or number, with :GROUP or without.")
    var user: String?

    @Option(name: .shortAndLong, help: "The directory where it begins.")
    var workdir: String?

    @Option(name: .long, help: "The name of its machine (default: swbuild).")
    var hostname: String?

    /// What the options say.
    func options(command: [String]) throws -> ContainerOptions {
        var options = ContainerOptions()
        // What ends swbuild's own options is no part of the command.
        options.command = command.first == "--" ? Array(command.dropFirst()) : command
        options.entrypoint = entrypoint
        options.user = user
        options.workingDirectory = workdir
        if let hostname {
            guard !hostname.isEmpty, hostname.utf8.count <= 64 else {
                throw MalformedOption(option: "--hostname", value: hostname, expected: "a name of at most 64 letters")
            }
            options.hostname = hostname
        }
        for text in env {
            let pair = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let name = pair.first, !name.isEmpty else {
                throw MalformedOption(option: "--env", value: text, expected: "NAME=VALUE, or NAME")
            }
            if let value = pair.count > 1 ? pair[1] : Console.environment(name) {
                options.environment.append((name, value))
            }
        }
        return options
    }
}
