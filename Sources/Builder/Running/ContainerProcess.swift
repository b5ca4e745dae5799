import Exec
import OCI

/// What the caller asks of a container beside, or in place of, what its image says.
public struct ContainerOptions: Sendable {
    /// The command; empty for the image's.
    public var command: [String] = []
    /// The program before the command; `nil` for the image's.
    public var entrypoint: String?
    /// Variables, in the order given.
    public var environment: [(name: String, value: String)] = []
    /// Who it runs as, in the form of USER; `nil` for the image's.
    public var user: String?
    /// Where it begins; `nil` for the image's.
    public var workingDirectory: String?
    /// The name of its machine.
    public var hostname = "swbuild"

    /// No wishes.
    public init() {}
}

/// The process that an image describes: a function of its configuration, its users, and what the caller wants.
///
/// Source: image-spec 1.1, conversion.md, "Verbatim Fields" and "Parsed Fields".
struct ContainerProcess: Sendable, Hashable {
    var arguments: [String]
    var environment: [String]
    var workingDirectory: String
    var credentials: Credentials

    /// What programs are looked for in where an image does not say: as Docker has it.
    private static let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    init(_ config: RuntimeConfig, users: UserDatabase, options: ContainerOptions) throws {
        arguments = Self.arguments(config, options)
        guard let program = arguments.first, !program.isEmpty else { throw NoCommand() }
        let user = try users.identity(options.user ?? config.user)
        var groups = [user.gid]
        for group in user.supplementaryGroups where !groups.contains(group) { groups.append(group) }
        credentials = Credentials(uid: user.uid, gid: user.gid, supplementaryGroups: groups)
        var changed = config
        changed.setEnvironment(options.environment)
        environment = changed.environment
        if changed.environmentValue("PATH") == nil { environment.append(Self.path) }
        if changed.environmentValue("HOME") == nil { environment.append("HOME=\(user.home)") }
        let directory = options.workingDirectory ?? config.workingDirectory
        workingDirectory = directory.hasPrefix("/") ? directory : "/\(directory)"
    }

    /// Another entrypoint makes the image's command meaningless, as with Docker.
    private static func arguments(_ config: RuntimeConfig, _ options: ContainerOptions) -> [String] {
        if let entrypoint = options.entrypoint {
            return (entrypoint.isEmpty ? [] : [entrypoint]) + options.command
        }
        return (config.entrypoint ?? []) + (options.command.isEmpty ? config.command ?? [] : options.command)
    }

    /// The plan of a sandbox that runs it.
    func plan(root: SandboxPlan.Overlay, hostname: String) -> SandboxPlan {
        SandboxPlan(
            root: root,
            hostname: hostname,
            credentials: credentials,
            workingDirectory: workingDirectory,
            arguments: arguments,
            environment: environment
        )
    }
}

/// An image that says nothing of what is to be run.
struct NoCommand: Error, CustomStringConvertible {
    var description: String { "the image has neither ENTRYPOINT nor CMD: name a command after the image" }
}
