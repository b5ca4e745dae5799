import ArgumentParser
import Builder

/// What RUN steps, and containers of `run`, are given, and what is taken from them.
struct BuildSandboxOptions: ParsableArguments {
    @Option(name: .long, help: "The network of RUN steps: default, none or host.")
    var network = "default"

    @Option(name: .long, help: "A line of /etc/hosts for RUN steps: NAME:ADDRESS or NAME=ADDRESS.")
    var addHost: [String] = []

    @Option(name: .long, help: "The size of /dev/shm for RUN steps (default: 64m).")
    var shmSize: String?

    @Option(name: .long, help: "A limit for the processes of RUN steps, such as nofile=1024:2048.")
    var ulimit: [String] = []

    @Option(name: .long, help: "A capability that RUN steps have besides, or ALL.")
    var capAdd: [String] = []

    @Option(name: .long, help: "A capability that RUN steps do without, or ALL.")
    var capDrop: [String] = []

    @Option(
        name: .long,
        help: "The confinement of RUN steps: seccomp=unconfined, seccomp=FILE or no-new-privileges."
    )
    var securityOpt: [String] = []

    @Option(name: .long, help: "A device node of the host that RUN steps are given: HOSTPATH[:PATH].")
    var device: [String] = []

    func validate() throws {
        guard NetworkMode(rawValue: network) != nil else {
            throw ValidationError("--network \(network): expected default, none or host")
        }
    }

    /// Fills in what the options say.
    func fill(_ request: inout BuildRequest, in directory: String) throws {
        request.network = NetworkMode(rawValue: network) ?? .default
        request.sandbox.hosts = try addHost.map { try HostEntry(parsing: $0) }
        if let shmSize { try request.sandbox.setSharedMemorySize(shmSize) }
        for limit in ulimit { try request.sandbox.addLimit(limit) }
        try request.sandbox.setCapabilities(add: capAdd, drop: capDrop)
        for option in securityOpt { try request.sandbox.addSecurityOption(option, in: directory) }
        request.sandbox.devices = try device.map { try HostDevice(parsing: $0, in: directory) }
    }
}
