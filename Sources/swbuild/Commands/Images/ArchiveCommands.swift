import ArgumentParser
import Builder
import OCI
import Store

extension ArchiveForm: ExpressibleByArgument {}

struct SaveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "save",
        abstract: "Writes images of the store to an archive, for 'docker load', 'podman load', skopeo and others."
    )

    @OptionGroup var global: GlobalOptions

    @Option(name: .shortAndLong, help: "The file, or '-' for standard output.")
    var output: String

    @Option(name: .long, help: "The form of the archive: docker or oci.")
    var format: ArchiveForm = .docker

    @Option(name: .long, help: "Which image 'docker load' is to find in an index (default: this machine's platform).")
    var platform: String?

    @Argument(help: "The images: names, digests, or the beginnings of some.")
    var images: [String]

    func run() async throws {
        try await reporting {
            let saver = ImageSaver(store: try global.openStore())
            let platform = try platform.map { try BuildRequest.platform(parsing: $0) } ?? .host
            guard output != "-" else { return try saver.save(images, as: format, platform: platform, to: 1) }
            try HostFile.writeResult(to: absolute(output, in: Console.workingDirectory)) { file in
                try saver.save(images, as: format, platform: platform, to: file)
            }
        }
    }
}

struct LoadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Brings the images of an archive or an OCI layout into the store, and prints their names."
    )

    @OptionGroup var global: GlobalOptions

    @Option(
        name: .shortAndLong,
        help: "The archive, compressed or not, the layout's directory, or '-' for standard input."
    )
    var input: String = "-"

    @Option(name: .shortAndLong, help: "The name of an image that has none there.")
    var tag: String?

    func run() async throws {
        try await reporting {
            let name = try tag.map { try ImageReference(option: "-t", $0) }
            let store = try global.openStore()
            let work = try store.makeWorkDirectory()
            let path = input == "-" ? work.unique("input") : absolute(input, in: Console.workingDirectory)
            if input == "-" { try InputFile.spool(to: path) }
            let loaded = try withExtendedLifetime(work) { try ImageLoader(store: store).load(path, name: name) }
            for image in loaded {
                let names = image.names.map { " \($0.familiar)" }.joined()
                try Console.print("\(image.descriptor.digest)\(names)")
            }
        }
    }
}
