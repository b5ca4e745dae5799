import ArgumentParser
import BuildFileParser
import Builder
import Exec
import Store

/// What every command takes.
struct GlobalOptions: ParsableArguments {
    @Option(
        name: .long,
        help:
            "The state directory (default: $SWBUILD_ROOT, else /var/lib/swbuild for root, $XDG_DATA_HOME/swbuild for others)."
    )
    var root: String?

    /// The state directory that options and environment name.
    var stateDirectory: String {
        if let root { return absolute(root, in: Console.workingDirectory) }
        if let path = Console.environment("SWBUILD_ROOT") { return absolute(path, in: Console.workingDirectory) }
        if Startup.privilege == .root { return "/var/lib/swbuild" }
        let home = Console.environment("HOME") ?? "/tmp"
        return (Console.environment("XDG_DATA_HOME") ?? "\(home)/.local/share") + "/swbuild"
    }

    func openStore() throws -> Store {
        let images: LowerTrial = { KernelTrial.overlay(above: $0, directory: $1) == 0 }
        let wantsDirectories = Console.environment("SWBUILD_LAYERS") == "directories"
        return try Store(
            root: stateDirectory,
            owner: Startup.storeOwner,
            imagesIf: wantsDirectories ? nil : images
        )
    }
}

/// Runs a command's work and turns what it throws into a message and an exit status.
func reporting(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let exit as ExitCode {
        throw exit
    } catch let error as MalformedIgnoreFile {
        let file = DiagnosticRenderer(fileName: error.file.name, source: error.file.bytes, color: Console.hasColor)
        Console.note(String(file.render(error.diagnostic).dropLast()))
        throw ExitCode(1)
    } catch let error as MalformedOption {
        Console.note("swbuild: \(error)")
        throw ExitCode(64)
    } catch {
        Console.note("swbuild: \(error)")
        throw ExitCode(1)
    }
}
