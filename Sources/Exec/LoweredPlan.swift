import CShims
import Glibc
import SystemPackage

/// A plan in the form that C executes, with what is needed to understand what C reports.
final class LoweredPlan {
    let plan: SandboxPlan
    private let operations: [Operation]
    /// How many operations were carried out before the first of them.
    private let preparedCount: Int
    private let candidates: [String]
    private let arena = Arena()

    /// The plan for `swb_spawn`; the descriptors are still to be filled in.
    private(set) var lowered: swb_plan

    /// What of a plan is laid out.
    enum Part {
        case all
        case preparation
        /// What is left when a preparation is done, of so many operations.
        case rest(after: Int)
    }

    /// Lays a plan out in memory.
    init(_ described: SandboxPlan, supervised asking: CallFilter? = nil, part: Part = .all) throws(SandboxError) {
        let plan = described.launchingRuntime
        guard let program = plan.arguments.first, !program.isEmpty else {
            throw SandboxError(.execute(""), .noSuchFileOrDirectory)
        }
        self.plan = plan
        (operations, preparedCount) =
            switch part {
            case .all: (plan.operations, 0)
            case .preparation: (plan.preparation, 0)
            case .rest(let count): (plan.completion, count)
            }
        candidates = plan.candidates(for: program)
        let filter = try plan.filter().instructions
        let asking = asking?.program.instructions ?? []

        let arena = arena
        let limits = plan.resourceLimits.map {
            swb_limit(resource: $0.resource.number, reserved: 0, soft: $0.soft, hard: $0.hard)
        }
        lowered = swb_plan(
            own_network: plan.network.isNew ? 1 : 0,
            own_users: plan.idMaps == nil ? 0 : 1,
            operations: UnsafePointer(
                arena.copy(operations.map { $0.lowered(in: arena) })
            ),
            operation_count: UInt32(operations.count),
            first_operation: UInt32(preparedCount),
            umask: plan.umask,
            stub_arguments: UnsafePointer(
                arena.strings(
                    [Self.stubArgument] + plan.labels.flatMap { [$0.attribute, $0.text] } + candidates + plan.arguments
                )
            ),
            label_count: UInt32(plan.labels.count),
            candidate_count: UInt32(candidates.count),
            environment: UnsafePointer(arena.strings(plan.environment)),
            uid: plan.credentials.uid,
            gid: plan.credentials.gid,
            groups: plan.availableIDs?.isSingle == true
                ? nil : UnsafePointer(arena.copy(plan.credentials.supplementaryGroups)),
            group_count: plan.credentials.supplementaryGroups.count,
            capabilities: plan.capabilities.rawValue,
            filter: UnsafeRawPointer(arena.copy(filter)),
            filter_length: UInt16(clamping: filter.count),
            supervising_filter_length: UInt16(clamping: asking.count),
            supervising_filter: UnsafeRawPointer(arena.copy(asking)),
            no_new_privileges: plan.noNewPrivileges ? 1 : 0,
            limit_count: UInt32(limits.count),
            limits: UnsafePointer(arena.copy(limits)),
            standard_output: -1,
            standard_error: -1,
            report: -1,
            wake: -1,
            next: nil,
            gate: -1,
            parent: -1,
            cgroup: -1,
            network: plan.network.namespace?.descriptor.number ?? -1,
            supervisor: -1,
            own_arguments: nil,
            own_arguments_length: 0,
            is_dumpable: Self.isDumpable ? 1 : 0,
            keeps_cgroup_view: plan.runtime == nil ? 0 : 1,
            forwards_signals: plan.standardInput == .empty ? 0 : 1,
            standard_input: -1,
            terminal: -1
        )
        lowered.own_arguments = swb_own_arguments(CommandLine.argc, &lowered.own_arguments_length)
        if arena.hasTruncatedText {
            throw SandboxError(.operation("pass a text with a NUL byte in it to the step"), .invalidArgument)
        }
    }

    /// How many operations this carries out.
    var operationCount: Int { operations.count }

    /// As it was before the first step: steps that begin at the same time change it for a moment.
    private static let isDumpable = swb_is_dumpable() != 0

    /// A plan with its descriptors, in memory that lives as long as this.
    func placed(_ plan: swb_plan) -> UnsafePointer<swb_plan> { UnsafePointer(arena.copy([plan])) }

    /// Room for what the child tells the program that executes the command.
    private static let stubArgument = String(repeating: " ", count: Int(SWB_STUB_ARGUMENT_SIZE) - 1)

    /// What a failure that the child reported is about.
    func error(for report: swb_report) -> SandboxError {
        let code = Errno(rawValue: report.error)
        switch swb_stage(rawValue: UInt32(bitPattern: report.stage)) {
        case SWB_STAGE_ID_MAP: return SandboxError(.idMap, code)
        case SWB_STAGE_OPERATION: return operationError(report)
        case SWB_STAGE_STREAMS: return SandboxError(.standardStreams, code)
        case SWB_STAGE_LIMIT: return limitError(report)
        case SWB_STAGE_CREDENTIALS: return SandboxError(.credentials, code, subject: plan.credentials.description)
        case SWB_STAGE_SECCOMP: return SandboxError(.seccomp, code)
        case SWB_STAGE_LABEL:
            let label =
                plan.labels.indices.contains(Int(report.index)) ? plan.labels[Int(report.index)].description : ""
            return SandboxError(.label(label), code)
        case SWB_STAGE_DIRECTORY: return SandboxError(.workingDirectory, code, subject: plan.workingDirectory)
        case SWB_STAGE_EXECUTE: return executeError(report)
        default: return SandboxError(.namespace, code)
        }
    }

    private func operationError(_ report: swb_report) -> SandboxError {
        let code = Errno(rawValue: report.error)
        let all = preparedCount > 0 ? plan.operations : operations
        guard all.indices.contains(Int(report.index)) else { return SandboxError(.namespace, code) }
        let operation = all[Int(report.index)]
        if case .workingDirectory(let path) = operation {
            return SandboxError(.workingDirectory, code, subject: path)
        }
        switch swb_detail(rawValue: UInt32(bitPattern: report.detail)) {
        case SWB_DETAIL_SOURCE where code == .noSuchFileOrDirectory || code == .notDirectory:
            return SandboxError(.mountSource(operation.description), code)
        case SWB_DETAIL_TARGET: return SandboxError(.mountPoint(operation.target), code)
        default: return SandboxError(.operation(operation.description), code)
        }
    }

    private func limitError(_ report: swb_report) -> SandboxError {
        let limits = plan.resourceLimits
        let limit = limits.indices.contains(Int(report.index)) ? limits[Int(report.index)].description : ""
        return SandboxError(.resourceLimit(limit), Errno(rawValue: report.error))
    }

    private func executeError(_ report: swb_report) -> SandboxError {
        let code = Errno(rawValue: report.error)
        let program = plan.arguments.first ?? ""
        if report.detail == Int32(bitPattern: SWB_DETAIL_INTERPRETER.rawValue) {
            let found = candidates.indices.contains(Int(report.index)) ? candidates[Int(report.index)] : program
            return SandboxError(.interpreter(found), code)
        }
        return SandboxError(.execute(program), code, subject: plan.searchPath)
    }
}

extension SandboxPlan {
    /// The system call filter of the step.
    func filter() throws(SandboxError) -> SeccompProgram {
        guard let seccompDirectory else {
            return try SeccompProgram.compiled(policy: seccomp, capabilities: capabilities)
        }
        return try SeccompProgram.cached(in: seccompDirectory, policy: seccomp, capabilities: capabilities)
    }

    /// The `PATH` of the environment, or the one that images have by convention.
    fileprivate var searchPath: String {
        for entry in environment where entry.hasPrefix("PATH=") { return String(entry.dropFirst("PATH=".count)) }
        return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    }

    /// The paths that are tried for a program, in order.
    fileprivate func candidates(for program: String) -> [String] {
        if program.utf8.contains(UInt8(ascii: "/")) { return [program] }
        return searchPath.split(separator: ":", omittingEmptySubsequences: false).map { directory in
            directory.isEmpty ? "./\(program)" : "\(directory)/\(program)"
        }
    }
}

extension Operation {
    /// The place inside the root that the operation is about.
    fileprivate var target: String {
        switch self {
        case .fileSystem(let fileSystem), .attach(let fileSystem): fileSystem.target
        case .device(let device): "/dev/\(device.name)"
        case .mask(let path), .readOnly(let path), .workingDirectory(let path): path
        case .mount(let mount, _): mount.target
        case .symbolicLink(let directory, let name, _): "\(directory)/\(name)"
        case .privateMounts, .hostname, .loopbackUp, .staging, .root, .changeRoot, .stagedFile, .runtimeBundle: "/"
        }
    }
}

extension Credentials: CustomStringConvertible {
    /// The credentials in words.
    public var description: String {
        let groups = supplementaryGroups.map(String.init).joined(separator: ",")
        return "user \(uid), group \(gid)" + (groups.isEmpty ? "" : " and groups \(groups)")
    }
}
