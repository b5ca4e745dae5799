import ArgumentParser
import Builder
import OCI

struct TagCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tag",
        abstract: "Gives an image of the store further names."
    )

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The image: a name, a digest, or the beginning of one.")
    var image: String

    @Argument(help: "The names: NAME[:TAG].")
    var names: [String]

    func validate() throws {
        if names.isEmpty { throw ValidationError("give the image at least one name") }
    }

    func run() async throws {
        try await reporting {
            let names = try names.map { try ImageReference(option: "the name", $0) }
            try StoredImages(store: global.openStore()).tag(image, as: names)
        }
    }
}

struct IndexCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "index",
        abstract: "Makes indexes: one name for images of several platforms.",
        subcommands: [IndexCreateCommand.self]
    )
}

struct IndexCreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Makes one index of images of the store, and of what indexes name."
    )

    @OptionGroup var global: GlobalOptions

    @Option(name: .shortAndLong, help: "A name for the index: NAME[:TAG].")
    var tag: [String]

    @Argument(help: "The images: names, digests, or the beginnings of some.")
    var images: [String]

    func validate() throws {
        if tag.isEmpty { throw ValidationError("give the index a name with -t") }
    }

    func run() async throws {
        try await reporting {
            let names = try tag.map { try ImageReference(option: "-t", $0) }
            let index = try StoredImages(store: global.openStore()).makeIndex(of: images, as: names)
            try Console.print("\(index.digest)\(names.map { " \($0.tagged.familiar)" }.joined())")
        }
    }
}

extension ImageReference {
    /// The name that an option or argument gives to an image: without a digest, which the image itself has.
    init(option: String, _ text: String) throws(MalformedOption) {
        do throws(MalformedReference) {
            self = try ImageReference(parsing: text)
        } catch {
            throw MalformedOption(option: option, value: text, expected: "an image name: \(error)")
        }
        guard digest == nil else {
            throw MalformedOption(option: option, value: text, expected: "an image name without a digest")
        }
    }
}
