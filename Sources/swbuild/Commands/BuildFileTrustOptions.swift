import ArgumentParser
import Builder

/// What a build file may do, and who runs its steps: questions that an image which is built already does not raise.
struct BuildFileTrustOptions: ParsableArguments {
    @Option(name: .long, help: "What the build file may ask for: network.host or security.insecure.")
    var allow: [String] = []

    @Option(
        name: .long,
        help: "A program that runs the RUN steps in place of swbuild's own sandbox: runc, crun, or a path."
    )
    var runtime: String?

    @Flag(name: .long, help: "Builds without looking for the values of secrets and ssh keys in the image.")
    var noLeakCheck = false

    /// Fills in what the options say.
    func fill(_ request: inout BuildRequest, in directory: String) throws {
        request.checksLeaks = !noLeakCheck
        for entitlement in allow { try request.sandbox.allow(entitlement) }
        if let runtime {
            let path = Console.environment("PATH") ?? "/usr/sbin:/usr/bin:/sbin:/bin"
            request.sandbox.runtime = try ContainerRuntime(parsing: runtime, in: directory, searchPath: path)
        }
    }
}
