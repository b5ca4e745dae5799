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
                    image.isIncomplete
                        ? "incomplete"
                        : image.platforms.isEmpty ? "-" : image.platforms.map(\.description).joined(separator: ","),
                    image.created ?? "-", Table.size(image.size),
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
            var document: [String: JSONValue] = [
                "name": found.name.map(JSONValue.string) ?? .null, "descriptor": found.descriptor.json,
                "manifest": found.manifest.json, "config": found.config.json,
            ]
            if let index = found.index { document["index"] = index.json }
            try Console.print(JSONValue.object(document).prettyPrinted())
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
                try stored.remove(image)
                try Console.print(image)
            }
        }
    }
}

struct DiskUsageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "du",
        abstract: "Shows what the store's parts and each cache mount take."
    )

    @OptionGroup var global: GlobalOptions

    @Option(name: .long, help: "The form of the result: text or json.")
    var format: ResultFormat = .text

    func run() async throws {
        try await reporting {
            let store = try global.openStore()
            let (usage, mounts) = (try store.diskUsage(), try store.cacheMounts())
            guard format == .text else { return try Console.print(Self.json(usage, mounts).prettyPrinted()) }
            let rows = usage.map { [$0.name, "\($0.count)", Table.size($0.bytes)] }
            try Console.print(Table.text(header: ["PART", "ITEMS", "SIZE"], rows: rows))
            guard !mounts.isEmpty else { return }
            let mountRows = mounts.map {
                [$0.id, Table.size($0.bytes), CreationTime(seconds: $0.lastUsed).description]
            }
            try Console.print("\n" + Table.text(header: ["CACHE MOUNT", "SIZE", "LAST USED"], rows: mountRows))
        }
    }

    private static func json(_ usage: [PartUsage], _ mounts: [CacheMountUsage]) -> JSONValue {
        .object([
            "parts": .array(
                usage.map { part in
                    .object([
                        "name": .string(part.name), "items": .integer(Int64(part.count)), "bytes": .integer(part.bytes),
                    ])
                }
            ),
            "cacheMounts": .array(
                mounts.map { mount in
                    .object([
                        "id": .string(mount.id), "key": .string(mount.key), "bytes": .integer(mount.bytes),
                        "lastUsed": .string(CreationTime(seconds: mount.lastUsed).description),
                    ])
                }
            ),
        ])
    }
}

struct VersionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Shows the version.")

    func run() async throws {
        try Console.print("swbuild \(Swbuild.version) (\(Platform.host))")
    }
}
