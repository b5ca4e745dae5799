import SystemPackage

/// Brings a machine's hierarchies to where steps can be limited in them.
struct CgroupPreparation {
    typealias System = CgroupParent.System
    typealias Place = CgroupParent.Place

    let system: System
    let limits: CgroupLimits
    let path: CgroupPath?
    private var shelter: CgroupClaim?
    private var files: any CgroupFiles { system.files }

    init(system: System, limits: CgroupLimits, path: CgroupPath?) {
        self.system = system
        self.limits = limits
        self.path = path
    }

    /// The parent of the steps' cgroups.
    mutating func parent() throws(CgroupError) -> CgroupParent {
        let hierarchies = system.hierarchies
        guard !hierarchies.isEmpty else { throw error(.notMounted) }
        var places: [Place] = []
        var firstError: CgroupError?
        var open = limits.controllers
        for hierarchy in hierarchies {
            let bound = hierarchy.legacyControllers
            let required = open.filter { bound?.contains($0) ?? !isLegacy($0) }
            do throws(CgroupError) {
                let place =
                    if let bound {
                        try legacyPlace(hierarchy, bound, required)
                    } else {
                        try unifiedPlace(hierarchy, required: required)
                    }
                if let place { places.append(place) }
                open.removeAll { required.contains($0) }
            } catch {
                // Where it would have been for figures alone, the build does without them.
                guard required.isEmpty else { throw error }
                firstError = firstError ?? error
            }
        }
        if let missing = open.first { throw missingController(missing) }
        if places.isEmpty, let firstError { throw firstError }
        for place in places { removeLeftovers(in: place.directory) }
        return CgroupParent(limits, places: places, shelter: shelter, system: system)
    }

    private func error(_ problem: CgroupError.Problem) -> CgroupError {
        var isUnified = true
        if case .refused(let directory, _) = problem {
            isUnified = !system.hierarchies.contains { !$0.isUnified && directory.hasPrefix($0.mount) }
        }
        return CgroupError(problem, isRoot: system.isRoot, isUnified: isUnified)
    }

    private func isLegacy(_ controller: CgroupController) -> Bool {
        system.hierarchies.contains { $0.legacyControllers?.contains(controller) ?? false }
    }

    private func names(of controller: CgroupController) -> [CgroupLimits.Name] {
        limits.names.filter { $0.controller == controller }
    }

    private func missingController(_ controller: CgroupController) -> CgroupError {
        var offered = system.hierarchies.flatMap { $0.legacyControllers?.map(\.rawValue) ?? [] }
        for hierarchy in system.hierarchies where hierarchy.isUnified {
            offered += words("\(hierarchy.mount)/cgroup.controllers")
        }
        let problem = CgroupError.Problem.noController(
            limits: names(of: controller),
            controller: controller.rawValue,
            offered: offered.sorted()
        )
        return error(problem)
    }

    /// The words of a file; none where it cannot be read.
    private func words(_ path: String) -> [String] {
        ((try? files.read(path)) ?? "").split(whereSeparator: \.isWhitespace).map(String.init)
    }

    // MARK: - Version 1

    /// The place in a hierarchy of version 1; `nil` where it has nothing to do.
    private func legacyPlace(
        _ hierarchy: CgroupHierarchy,
        _ bound: [CgroupController],
        _ required: [CgroupController]
    ) throws(CgroupError) -> Place? {
        // Memory and processor time are measured as well, the latter by the unified hierarchy where there is one.
        let hasUnified = system.hierarchies.contains(where: \.isUnified)
        let measured = bound.filter { $0 == .memory || $0 == .cpuacct && !hasUnified }
        guard !required.isEmpty || !measured.isEmpty else { return nil }
        let (base, components) = hierarchy.directory(of: path)
        var directory = base
        for component in components {
            let child = "\(directory)/\(component)"
            try make(child)
            if bound.contains(.cpuset) { try inherit(child, from: directory) }
            directory = child
        }
        try check(directory)
        if bound.contains(.cpuset) {
            try checkLists(directory, processors: "cpuset.effective_cpus", nodes: "cpuset.effective_mems")
        }
        return Place(
            isUnified: false,
            directory: directory,
            controllers: bound,
            settings: required.flatMap { limits.legacySettings(of: $0) }
        )
    }

    /// Gives a new cgroup the processors and memory nodes of the one above: it begins with none.
    private func inherit(_ child: String, from directory: String) throws(CgroupError) {
        do throws(Errno) {
            try CgroupParent.inheritProcessors(child, from: directory, files)
        } catch {
            throw self.error(.refused(directory: child, error))
        }
    }

    // MARK: - Version 2

    /// The place in the hierarchy of version 2.
    private mutating func unifiedPlace(
        _ hierarchy: CgroupHierarchy,
        required: [CgroupController]
    ) throws(CgroupError) -> Place? {
        let (base, components) = hierarchy.directory(of: path)
        // Memory is measured as well.
        let wanted = required + (required.contains(.memory) || isLegacy(.memory) ? [] : [.memory])
        var directory = base
        try handOn(wanted, required: required, in: directory, own: hierarchy.own)
        for component in components {
            directory += "/\(component)"
            try make(directory)
            try handOn(wanted, required: required, in: directory, own: hierarchy.own)
        }
        try check(directory)
        try checkEntry(from: hierarchy.own, to: directory)
        if required.contains(.cpuset) {
            try checkLists(directory, processors: "cpuset.cpus.effective", nodes: "cpuset.mems.effective")
        }
        return Place(
            isUnified: true,
            directory: directory,
            controllers: wanted,
            settings: required.flatMap { limits.unifiedSettings(of: $0) }
        )
    }

    /// Who moves a process must be able to do so in the cgroup that is above both ends (`cgroup-v2.rst`, "Delegation
    /// Containment").
    private func checkEntry(from own: String, to directory: String) throws(CgroupError) {
        let ends = [own, directory].map { $0.split(separator: "/") }
        let common = zip(ends[0], ends[1]).prefix { $0.0 == $0.1 }.map(\.0)
        let ancestor = "/" + common.joined(separator: "/")
        do throws(Errno) {
            try files.checkWritable("\(ancestor)/cgroup.procs")
        } catch {
            throw self.error(.contained(own: own, directory: directory, error))
        }
    }

    /// Turns controllers on for the cgroups below a directory.
    private mutating func handOn(
        _ wanted: [CgroupController],
        required: [CgroupController],
        in directory: String,
        own: String
    ) throws(CgroupError) {
        let control = "\(directory)/cgroup.subtree_control"
        let available = words("\(directory)/cgroup.controllers")
        let enabled = words(control)
        for controller in wanted where !enabled.contains(controller.rawValue) {
            let isRequired = required.contains(controller)
            guard available.contains(controller.rawValue) else {
                if isRequired { throw unavailable(controller, in: directory) }
                continue
            }
            do throws(CgroupError) {
                try handOn(controller, in: directory, own: own)
            } catch {
                if isRequired { throw error }
            }
        }
    }

    private func unavailable(_ controller: CgroupController, in directory: String) -> CgroupError {
        let isKnown = system.hierarchies.contains { hierarchy in
            hierarchy.isUnified && words("\(hierarchy.mount)/cgroup.controllers").contains(controller.rawValue)
        }
        guard isKnown else { return missingController(controller) }
        let problem = CgroupError.Problem.notDelegated(
            limits: names(of: controller),
            controller: controller.rawValue,
            directory: directory
        )
        return error(problem)
    }

    /// Turns one controller on.
    ///
    /// No cgroup but the root may have both processes and controllers for those below it (`cgroup-v2.rst`, "No Internal
    /// Process Constraint"): where the processes are this one alone, it moves into a cgroup below.
    private mutating func handOn(
        _ controller: CgroupController,
        in directory: String,
        own: String
    ) throws(CgroupError) {
        let control = "\(directory)/cgroup.subtree_control"
        do throws(Errno) {
            try files.write("+\(controller.rawValue)", to: control)
        } catch {
            guard error == .resourceBusy else { throw self.error(.refused(directory: directory, error)) }
            let others = words("\(directory)/cgroup.procs").filter { $0 != "\(system.process)" }
            guard directory == own, shelter == nil, others.isEmpty else {
                throw self.error(.occupied(directory: directory, processes: others.count))
            }
            try moveAside(in: directory)
            do throws(Errno) {
                try files.write("+\(controller.rawValue)", to: control)
            } catch {
                throw self.error(.refused(directory: directory, error))
            }
        }
    }

    /// Another build that cleans up may be faster than the lock on what was made.
    private static let attempts = 16

    /// Moves this process into a cgroup of its own below the one that it is in.
    private mutating func moveAside(in directory: String) throws(CgroupError) {
        for attempt in 0..<Self.attempts {
            let path = "\(directory)/\(CgroupName.own(process: system.process, attempt: attempt))"
            try make(path)
            do throws(Errno) {
                // Without the lock it is somebody else's, or about to be removed.
                guard let claim = try files.claim(path) else { continue }
                try enter(path, claim)
                return
            } catch {
                throw self.error(.refused(directory: path, error))
            }
        }
        throw error(.refused(directory: directory, .resourceBusy))
    }

    private mutating func enter(_ path: String, _ claim: CgroupClaim) throws(Errno) {
        do throws(Errno) {
            // Zero stands for who writes it.
            try files.write("0", to: "\(path)/cgroup.procs")
            shelter = claim
        } catch {
            try? files.removeDirectory(path)
            throw error
        }
    }

    // MARK: - Both

    private func make(_ directory: String) throws(CgroupError) {
        do throws(Errno) {
            try files.makeDirectory(directory)
        } catch {
            if error != .fileExists { throw self.error(.refused(directory: directory, error)) }
        }
    }

    private func check(_ directory: String) throws(CgroupError) {
        do throws(Errno) {
            try files.checkWritable(directory)
        } catch {
            throw self.error(.refused(directory: directory, error))
        }
    }

    /// Version 2 takes processors that are not there, and then ignores the list.
    private func checkLists(_ directory: String, processors: String, nodes: String) throws(CgroupError) {
        let lists = [
            (CgroupLimits.Name.cpus, limits.cpus, processors),
            (CgroupLimits.Name.memoryNodes, limits.memoryNodes, nodes),
        ]
        for (name, asked, file) in lists {
            guard let asked, let text = try? files.read("\(directory)/\(file)"),
                let available = CgroupNumberList(kernel: text), !available.contains(asked)
            else { continue }
            throw error(.unavailable(name, asked: asked, available: available))
        }
    }

    /// Removes what builds that were killed have left.
    private func removeLeftovers(in directory: String) {
        guard let names = try? files.directories(in: directory) else { return }
        for name in names where CgroupName.isOurs(name) {
            let path = "\(directory)/\(name)"
            guard let claim = try? files.claim(path) else { continue }
            withExtendedLifetime(claim) { CgroupRemoval(files: files).remove(path) }
        }
    }
}

extension CgroupParent {
    /// Copies the processors and memory nodes of a cgroup of version 1 to an empty one below it.
    static func inheritProcessors(
        _ child: String,
        from directory: String,
        _ files: any CgroupFiles
    ) throws(Errno) {
        for file in ["cpuset.cpus", "cpuset.mems"] {
            guard try files.read("\(child)/\(file)").allSatisfy(\.isWhitespace) else { continue }
            let value = try files.read("\(directory)/\(file)").split(whereSeparator: \.isWhitespace).joined()
            try files.write(value, to: "\(child)/\(file)")
        }
    }
}
