import ArgumentParser
import Builder
import OCI
import Store

struct ImagesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "images", abstract: "Lists the images of the store.")

    @OptionGroup var global: GlobalOptions

    @Flag(name: .shortAndLong, help: "Prints the digests alone.")
    var quiet = false

    func run() async throws {
        try await reporting {
            let images = try StoredImages(store: global.openStore()).list()
            if quiet {
                for image in images { try Console.print(image.descriptor.digest.description) }
                return
            }
            let rows = images.map { image in
                [
                    image.name ?? "<none>", String(image.descriptor.digest.hex.prefix(12)),
                    image.descriptor.platform?.description ?? "-", image.created ?? "-", Table.size(image.size),
                ]
            }
            try Console.print(Table.text(header: ["NAME", "DIGEST", "PLATFORM", "CREATED", "SIZE"], rows: rows))
        }
    }
}

struct InspectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Shows an image's manifest and configuration as JSON."
    )

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The image: a name, a digest, or the beginning of one.")
    var image: String

    func run() async throws {
        try await reporting {
            let found = try StoredImages(store: global.openStore()).find(image)
            let document = JSONValue.object([
                "name": found.name.map(JSONValue.string) ?? .null, "descriptor": found.descriptor.json,
                "manifest": found.manifest.json, "config": found.config.json,
            ])
            try Console.print(document.prettyPrinted())
        }
    }
}

struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Shows the steps that made an image, the last first."
    )

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The image: a name, a digest, or the beginning of one.")
    var image: String

    func run() async throws {
        try await reporting {
            let found = try StoredImages(store: global.openStore()).find(image)
            var layers = found.manifest.layers[...]
            var rows: [[String]] = []
            for entry in found.config.history {
                let size = entry.isEmptyLayer ? nil : layers.popFirst()?.size
                rows.append([
                    entry.created ?? "-", size.map(Table.size) ?? "0 B",
                    PlainProgress.firstLine(entry.createdBy ?? "-"),
                ])
            }
            try Console.print(Table.text(header: ["CREATED", "SIZE", "CREATED BY"], rows: rows.reversed()))
        }
    }
}

struct RemoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Removes images by name or digest; 'prune' then frees their layers."
    )

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The images.")
    var images: [String]

    func run() async throws {
        try await reporting {
            let stored = StoredImages(store: try global.openStore())
            for image in images {
                try stored.remove(try stored.find(image), named: image)
                try Console.print(image)
            }
        }
    }
}

struct PruneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Frees what nothing uses: untagged images, unused cache, layers and logs."
    )

    @OptionGroup var global: GlobalOptions

    @Flag(name: .shortAndLong, help: "Also drops the whole step cache and the cache mounts: only tagged images stay.")
    var all = false

    @Option(name: .long, help: "Keeps cache entries that were used within this many hours.")
    var keepHours: Int = 168

    func validate() throws {
        guard (0...876_000).contains(keepHours) else {
            throw ValidationError("--keep-hours \(keepHours): expected a number of hours, at most 876000")
        }
    }

    func run() async throws {
        try await reporting {
            let freed = try global.openStore().prune(keepingHours: all ? nil : keepHours)
            try Console.print("freed \(Table.size(freed))")
        }
    }
}

struct DiskUsageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "du", abstract: "Shows what the store's parts take.")

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        try await reporting {
            let usage = try global.openStore().diskUsage()
            let rows = usage.map { [$0.name, "\($0.count)", Table.size($0.bytes)] }
            try Console.print(Table.text(header: ["PART", "ITEMS", "SIZE"], rows: rows))
        }
    }
}

struct VersionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Shows the version.")

    func run() async throws {
        try Console.print("swbuild \(Swbuild.version) (\(Platform.host))")
    }
}
