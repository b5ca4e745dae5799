import ArgumentParser
import Builder
import Exec
import OCI

/// How registries are reached.
struct RegistryOptions: ParsableArguments {
    @Option(
        name: .long,
        help: "A registry to speak to over plain HTTP, or with a certificate that nobody vouches for: HOST[:PORT]."
    )
    var insecureRegistry: [String] = []

    /// The registries, until the command is interrupted; `progress` hears warnings.
    func open(telling progress: (any ProgressSink)? = nil) -> Registries {
        let cancellation = Cancellation()
        Signals.cancelOnInterrupt(cancellation)
        return Registries(insecure: insecureRegistry, cancellation: cancellation) { warning in
            progress?.emit(.note("warning: \(warning)"))
        }
    }
}

extension PullPolicy: ExpressibleByArgument {}

/// What a build takes from elsewhere, and when.
struct BuildPullOptions: ParsableArguments {
    /// The options that mean something without a value.
    static let meanings = ["--pull": "--pull=always", "--locked": "--locked=\(defaultLock)"]
    private static let defaultLock = "swbuild.lock"

    @Option(
        name: .long,
        help: "When base images are looked for at their registries: always (--pull alone), missing or never."
    )
    var pull: PullPolicy = .missing

    @Flag(name: .long, help: "Sends the image to the registries of its names.")
    var push = false

    @Option(name: .long, help: "Writes the digests of all base images and remote sources to a file.")
    var lock: String?

    @Option(
        name: .long,
        help: "Takes only the base images and remote sources that a file of --lock lists (default: swbuild.lock)."
    )
    var locked: String?

    /// Fills in what the options say.
    func fill(_ request: inout BuildRequest, _ registries: RegistryOptions) throws {
        request.pull = pull
        request.insecureRegistries = registries.insecureRegistry
        if let locked {
            let path = absolute(locked, in: Console.workingDirectory)
            request.locked = try SourceLock(parsing: HostFile.read(path, limit: JSONValue.largestDocument), as: locked)
        }
        if push { request.outputs.append(OutputSpec(kind: .registry(names: []), destination: "")) }
        for output in request.outputs where output.kind == .registry(names: []) && request.tags.isEmpty {
            throw MalformedOption(
                option: push ? "--push" : "--output",
                value: push ? "" : "type=registry",
                expected: "a name to push to: -t REGISTRY/NAME[:TAG]"
            )
        }
    }

    /// Writes the lock file.
    func write(_ sources: SourceLock) throws {
        guard let lock else { return }
        let path = absolute(lock, in: Console.workingDirectory)
        let text = try sources.json.prettyPrinted() + "\n"
        try HostFile.writeResult(to: path) { file in
            try HostFile.write(Array(text.utf8)[...], descriptor: file, named: path)
        }
    }
}
