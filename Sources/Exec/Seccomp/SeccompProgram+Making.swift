extension SeccompProgram {
    /// The program for steps with these capabilities, made in this process.
    ///
    /// - Throws: `SandboxError` when libseccomp cannot make it.
    public static func compiled(
        policy: SeccompPolicy,
        capabilities: CapabilitySet
    ) throws(SandboxError) -> SeccompProgram {
        switch policy {
        case .unconfined: .unconfined
        case .program(let program): program
        case .docker where capabilities == .docker: try defaultProgram.get()
        case .docker: try FilterDefinition(.docker, capabilities: capabilities).compiled()
        }
    }

    /// The program for steps with these capabilities, out of a file in a directory if it is there, else made and left
    /// there: libseccomp takes longer than all else that starts a step.
    ///
    /// The directory and the file count only when they belong to the effective user and nobody else may write to them. A
    /// file that does not count, or has no sound program in it, is replaced; a directory that does not count, or cannot
    /// be written to, is passed over.
    ///
    /// - Throws: `SandboxError` when libseccomp cannot make it.
    public static func cached(
        in directory: String,
        policy: SeccompPolicy,
        capabilities: CapabilitySet
    ) throws(SandboxError) -> SeccompProgram {
        guard policy == .docker, let cache = SeccompCache(directory) else {
            return try compiled(policy: policy, capabilities: capabilities)
        }
        let definition =
            capabilities == .docker ? defaultDefinition : FilterDefinition(.docker, capabilities: capabilities)
        let name = definition.fileName
        if let program = cache.program(name) { return program }
        let program = try compiled(policy: policy, capabilities: capabilities)
        cache.keep(program, as: name)
        return program
    }

    private static let defaultDefinition = FilterDefinition(.docker, capabilities: .docker)

    /// Made once, with the first step.
    private static let defaultProgram = Result { () throws(SandboxError) in try defaultDefinition.compiled() }
}
