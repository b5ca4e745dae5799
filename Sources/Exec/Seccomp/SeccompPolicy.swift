import SystemPackage

/// Which system calls a step may make.
public enum SeccompPolicy: Sendable, Hashable {
    /// Docker's default profile for containers, with what the step's capabilities add to it.
    case docker

    /// All of them.
    case unconfined
}

extension SeccompPolicy {
    /// The filter for a step with these capabilities; empty when there is none.
    func filter(for capabilities: CapabilitySet) throws(SandboxError) -> [FilterInstruction] {
        switch self {
        case .unconfined: []
        case .docker where capabilities == .docker: try Self.dockerDefault.get()
        case .docker: try Self.compile(capabilities)
        }
    }

    /// Made once, with the first step.
    private static let dockerDefault = Result { () throws(SandboxError) in try compile(.docker) }

    private static func compile(_ capabilities: CapabilitySet) throws(SandboxError) -> [FilterInstruction] {
        let tables = FilterArchitecture.all.map {
            SystemCallTable(SeccompProfile.docker, architecture: $0, capabilities: capabilities)
        }
        let program = FilterCompiler.program(for: tables)
        // BPF_MAXINSNS (linux/bpf_common.h).
        guard program.count <= 4096 else { throw SandboxError(.seccomp, .invalidArgument) }
        return program
    }
}
