import ArgumentParser
import Builder
import OCI

struct PullCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull",
        abstract: "Brings images from registries into the store."
    )

    @OptionGroup var global: GlobalOptions
    @OptionGroup var registries: RegistryOptions

    @Option(name: .long, help: "The platform, such as linux/arm64 (default: this machine's).")
    var platform: String?

    @Flag(name: .shortAndLong, help: "Shows no progress, and prints the digests alone.")
    var quiet = false

    @Argument(help: "The images: NAME[:TAG] or NAME@DIGEST.")
    var images: [String]

    func run() async throws {
        try await reporting {
            let names = try images.map { try ImageReference(named: $0) }
            let platform = try platform.map { try BuildRequest.platform(parsing: $0) } ?? .host
            let reporter = BuildReporter(style: quiet ? .quiet : .auto)
            let transfer = ImageTransfer(
                store: try global.openStore(),
                registries: registries.open(telling: reporter.sink),
                progress: reporter.sink
            )
            for name in names {
                defer { reporter.finish() }
                let pulled = try await transfer.pull(name, platform: platform)
                reporter.finish()
                try Console.print(quiet ? "\(pulled.digest)" : "\(pulled.digest) \(pulled.name.familiar)")
            }
        }
    }
}

struct PushCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "push",
        abstract: "Sends images of the store to the registries of their names."
    )

    @OptionGroup var global: GlobalOptions
    @OptionGroup var registries: RegistryOptions

    @Flag(name: .shortAndLong, help: "Shows no progress, and prints the digests alone.")
    var quiet = false

    @Argument(help: "The images: names of the store.")
    var images: [String]

    func run() async throws {
        try await reporting {
            let names = try images.map { try ImageReference(option: "the image", $0) }
            let reporter = BuildReporter(style: quiet ? .quiet : .auto)
            let transfer = ImageTransfer(
                store: try global.openStore(),
                registries: registries.open(telling: reporter.sink),
                progress: reporter.sink
            )
            for name in names {
                defer { reporter.finish() }
                let digest = try await transfer.push(name)
                reporter.finish()
                try Console.print(quiet ? "\(digest)" : "\(digest) \(name.tagged.familiar)")
            }
        }
    }
}

extension ImageReference {
    /// The name that an argument gives, with a tag or a digest.
    init(named text: String) throws(MalformedOption) {
        do throws(MalformedReference) {
            self = try ImageReference(parsing: text)
        } catch {
            throw MalformedOption(option: "the image", value: text, expected: "an image name: \(error)")
        }
    }
}
