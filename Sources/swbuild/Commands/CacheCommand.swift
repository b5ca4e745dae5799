import ArgumentParser
import Builder
import OCI
import Store

struct CacheCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cache",
        abstract: "Packs up the caches of RUN --mount=type=cache, and brings them back.",
        subcommands: [CacheExportCommand.self, CacheImportCommand.self]
    )
}

struct CacheExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes cache mounts to a tar; compressed, if its name ends in .gz, .tgz or .zst."
    )

    @OptionGroup var global: GlobalOptions

    @Option(name: .long, help: "A cache's id; several may be given (default: all caches).")
    var id: [String] = []

    @Argument(help: "The file, or '-' for standard output.")
    var file: String

    private var compression: BlobCompression {
        if file.hasSuffix(".gz") || file.hasSuffix(".tgz") { return .gzip }
        return file.hasSuffix(".zst") ? .zstd : .none
    }

    func run() async throws {
        try await reporting {
            let store = try global.openStore()
            var mounts: [CacheMountUsage] = []
            if file == "-" {
                mounts = try store.exportCacheMounts(ids: id, to: 1, compression: .none)
            } else {
                try HostFile.writeResult(to: absolute(file, in: Console.workingDirectory)) { descriptor in
                    mounts = try store.exportCacheMounts(ids: id, to: descriptor, compression: compression)
                }
            }
            for mount in mounts { Console.note("exported \(mount.id), \(Table.size(mount.bytes))") }
        }
    }
}

struct CacheImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Brings cache mounts back from a file of 'swbuild cache export'; those that are there are replaced."
    )

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The file, or '-' for standard input.")
    var file: String

    func run() async throws {
        try await reporting {
            let store = try global.openStore()
            let work = try store.makeWorkDirectory()
            let path = file == "-" ? work.unique("input") : absolute(file, in: Console.workingDirectory)
            if file == "-" { try InputFile.spool(to: path) }
            let mounts = try withExtendedLifetime(work) { try store.importCacheMounts(from: path) }
            for mount in mounts { Console.note("imported \(mount.id), \(Table.size(mount.bytes))") }
        }
    }
}
