import ArgumentParser
import Builder
import Exec
import OCI

/// What a build is made from.
struct BuildSourceOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: "The build file; '-' for standard input (default: Buildfile, Dockerfile or Containerfile of the context)."
    )
    var file: String?

    @Argument(
        help:
            "The build context: a directory, the URL of a git repository, tar or build file, or '-' for standard input."
    )
    var context = "."

    @Option(name: .long, help: "The stage to build, by name or number (default: the last).")
    var target: String?

    @Option(name: .long, help: "A build argument: NAME=VALUE, or NAME for its value in the environment.")
    var buildArg: [String] = []

    @Option(
        name: .long,
        help:
            "A further context: NAME=DIRECTORY, NAME=URL, NAME=oci-layout://DIRECTORY:TAG, NAME=oci-archive:FILE, NAME=docker-archive:FILE or NAME=docker-image://IMAGE."
    )
    var buildContext: [String] = []

    @Option(
        name: .long,
        help: "A secret for RUN --mount=type=secret: id=ID,src=FILE, id=ID,env=NAME or id=ID,cmd=COMMAND."
    )
    var secret: [String] = []

    @Option(name: .long, help: "An agent for RUN --mount=type=ssh: 'default', ID=SOCKET or ID=KEYFILE[,KEYFILE…].")
    var ssh: [String] = []

    @Option(name: .long, help: "The platform to build for, such as linux/arm64 (default: this machine's).")
    var platform: String?

    /// Finds and reads the build file and the context; the store is opened only if they have to be fetched.
    func loadInputs(for request: BuildRequest, _ global: GlobalOptions) throws -> BuildInputs {
        let loader = inputLoader(remotes: nil)
        guard loader.isRemote else { return try loader.load() }
        let cancellation = Cancellation()
        Signals.cancelOnInterrupt(cancellation)
        let remotes = try RemoteSources(store: global.openStore(), request: request, cancellation: cancellation)
        return try inputLoader(remotes: remotes).load()
    }

    /// What finds and reads them; one that comes from elsewhere is brought here by `remotes`.
    func inputLoader(remotes: RemoteSources?) -> InputLoader {
        InputLoader(
            file: file,
            context: context,
            directory: Console.workingDirectory,
            temporaryDirectory: Console.environment("TMPDIR") ?? "/tmp",
            remotes: remotes
        )
    }

    /// Fills in what the options say.
    func fill(_ request: inout BuildRequest, in directory: String) throws {
        request.target = target
        for argument in buildArg {
            let pair = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let name = pair.first, !name.isEmpty else {
                throw MalformedOption(option: "--build-arg", value: argument, expected: "NAME=VALUE")
            }
            if pair.count > 1 {
                request.buildArguments.append((name, pair[1]))
            } else if let value = Console.environment(name) {
                request.buildArguments.append((name, value))
            }
        }
        request.namedContexts = try buildContext.map { try NamedContext(parsing: $0, in: directory) }
        request.secrets = try secret.map { text in
            try Secret(parsing: text, in: directory) { Console.environment($0) != nil }
        }
        for agent in ssh {
            try request.addAgent(agent, own: Console.environment("SSH_AUTH_SOCK"), in: directory)
        }
        if let platform {
            request.platform = try BuildRequest.platform(parsing: platform)
            request.platformIsGiven = true
        }
    }
}
