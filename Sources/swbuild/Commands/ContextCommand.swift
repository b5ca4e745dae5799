import ArgumentParser
import Builder
import LayerDiff
import OCI

struct ContextCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "context",
        abstract: "Shows what a build context holds.",
        subcommands: [ContextListCommand.self]
    )
}

struct ContextListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "Lists what steps would see of a context, and which line of the ignore file drops the rest."
    )

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case text, json
    }

    @Option(name: .shortAndLong, help: "The build file, whose own ignore file (FILE.dockerignore) comes first.")
    var file: String?

    @Option(name: .long, help: "The form of the list: text, or json for an object on each line.")
    var format: Format = .text

    @Flag(name: .long, help: "Lists what is dropped, instead of what is kept.")
    var dropped = false

    @Flag(name: .long, help: "Lists what is dropped too.")
    var all = false

    @Argument(help: "The build context: a directory.")
    var context = "."

    func run() async throws {
        try await reporting {
            let listing = try ContextListing(
                context: context,
                buildFile: file,
                workingDirectory: Console.workingDirectory
            )
            var output = LineOutput()
            var totals = ContextTotals()
            try listing.walk { entry in
                totals.count(entry)
                guard isWanted(entry.fate) else { return }
                let line = ContextLine(entry: entry, ignoreFile: listing.ignoreFileName ?? "")
                try output.add(format == .json ? line.json.encoded() : Array(line.text.utf8))
            }
            if format == .json { try output.add(totals.json.encoded()) }
            try output.flush()
            if format == .text { Console.note(totals.text) }
        }
    }

    private func isWanted(_ fate: ContextEntry.Fate) -> Bool {
        switch fate {
        case .kept: !dropped
        case .dropped: dropped || all
        case .unusable: true
        }
    }
}
