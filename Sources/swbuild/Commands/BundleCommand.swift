import ArgumentParser
import Builder

struct BundleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bundle",
        abstract: "Writes an image as a bundle that runc, crun and other OCI runtimes run.",
        discussion: "'swbuild bundle IMAGE DIR' and then 'runc run -b DIR NAME'."
    )

    @OptionGroup var global: GlobalOptions
    @OptionGroup var container: ContainerArguments

    @Flag(name: .shortAndLong, help: "Has the runtime make a terminal.")
    var tty = false

    @Argument(help: "The image: a name, a digest, or the beginning of one.")
    var image: String

    @Argument(help: "A directory that is empty or not there.")
    var directory: String

    @Argument(parsing: .captureForPassthrough, help: "The command, in place of the image's.")
    var command: [String] = []

    func run() async throws {
        try await reporting {
            let store = try global.openStore()
            let found = try StoredImages(store: store).find(image)
            let path = absolute(directory, in: Console.workingDirectory)
            let options = try container.options(command: command)
            try BundleWriter(store: store, image: found).write(to: path, options: options, hasTerminal: tty)
        }
    }
}
