import SystemPackage
import Testing

@testable import Exec

/// What is done to a tree of version 2 (and 1) before and for a step, on trees in memory.
@Suite struct CgroupPreparationTests {
    private static let own = "/cg/user/scope"

    private let files = FakeCgroups()

    private static func limits(memory: UInt64? = nil, processes: UInt64? = nil, cpus: String? = nil) -> CgroupLimits {
        var limits = CgroupLimits()
        limits.memory = memory
        limits.processes = processes
        limits.cpus = cpus.flatMap(CgroupNumberList.init(parsing:))
        return limits
    }

    private func system(isRoot: Bool = false, _ hierarchies: CgroupHierarchy...) -> CgroupParent.System {
        let unified = CgroupHierarchy(legacyControllers: nil, mount: "/cg", own: Self.own)
        return CgroupParent.System(
            files: files,
            hierarchies: hierarchies.isEmpty ? [unified] : hierarchies,
            isRoot: isRoot,
            process: 100
        )
    }

    private func prepare(
        _ limits: CgroupLimits,
        below path: String? = nil,
        in system: CgroupParent.System? = nil
    ) throws(CgroupError) -> CgroupParent {
        var preparation = CgroupPreparation(
            system: system ?? self.system(),
            limits: limits,
            path: path.flatMap(CgroupPath.init(parsing:))
        )
        return try preparation.parent()
    }

    private func failure(_ body: () throws(CgroupError) -> CgroupParent) -> CgroupError? {
        do throws(CgroupError) {
            _ = try body()
            return nil
        } catch {
            return error
        }
    }

    private func addTree(processes: [Int32]) {
        files.addUnified("/cg", controllers: "cpuset cpu memory pids", enabled: "memory pids cpu")
        files.addUnified("/cg/user", controllers: "memory pids", enabled: "memory pids")
        files.addUnified(Self.own, controllers: "memory pids", processes: processes)
    }

    @Test func swbuildMovesOutOfItsCgroupToMakeRoom() throws {
        addTree(processes: [100])
        let parent = try prepare(Self.limits(memory: 1 << 24, processes: 9))
        let shelter = "\(Self.own)/swbuild-100-self"
        #expect(
            files.log == [
                "mkdir \(shelter)", "\(shelter)/cgroup.procs = 0", "\(Self.own)/cgroup.subtree_control = +memory",
                "\(Self.own)/cgroup.subtree_control = +pids",
            ]
        )
        #expect(parent.places.map(\.directory) == [Self.own])
    }

    /// Another build may hold it, to remove it or because its process has the same number in another namespace.
    @Test func aCgroupThatSomebodyElseHoldsIsNotMovedInto() throws {
        addTree(processes: [100])
        let taken = "\(Self.own)/swbuild-100-self"
        files.addDirectory(taken)
        files.lock(taken)
        _ = try prepare(Self.limits(memory: 1 << 24))
        #expect(
            files.log == [
                "mkdir \(taken)1", "\(taken)1/cgroup.procs = 0", "\(Self.own)/cgroup.subtree_control = +memory",
            ]
        )
    }

    @Test func whatCannotBeEnteredIsRemovedAndWhatIsOthersIsNot() {
        addTree(processes: [100])
        let names = ["self"] + (1..<16).map { "self\($0)" }
        for name in names.dropLast() {
            files.addDirectory("\(Self.own)/swbuild-100-\(name)")
            files.lock("\(Self.own)/swbuild-100-\(name)")
        }
        files.refuse("cgroup.procs", with: .permissionDenied)
        let error = failure { () throws(CgroupError) in try prepare(Self.limits(memory: 1 << 24)) }
        let last = "\(Self.own)/swbuild-100-self15"
        #expect(error?.problem == .refused(directory: last, .permissionDenied))
        #expect(files.log == ["mkdir \(last)", "rmdir \(last)"])
        files.addDirectory(last)
        let busy = failure { () throws(CgroupError) in try prepare(Self.limits(memory: 1 << 24)) }
        #expect(busy?.problem == .refused(directory: Self.own, .resourceBusy))
        #expect(files.log.count == 2)
    }

    @Test func whatIsHandedOnAlreadyNeedsNoMove() throws {
        files.addUnified("/cg", controllers: "memory pids", enabled: "memory pids")
        files.addUnified("/cg/user", controllers: "memory pids", enabled: "memory pids")
        files.addUnified(Self.own, controllers: "memory pids", enabled: "memory pids")
        _ = try prepare(Self.limits(memory: 1 << 24, processes: 9))
        #expect(files.log == [])
    }

    @Test func otherProcessesAreNotMoved() {
        addTree(processes: [100, 7])
        let error = failure { () throws(CgroupError) in try prepare(Self.limits(memory: 1 << 24)) }
        #expect(error?.problem == .occupied(directory: Self.own, processes: 1))
        #expect(error?.description.contains("systemd-run --user --scope -p Delegate=yes") == true)
        #expect(files.log == [])
    }

    @Test func aControllerThatIsNotHandedDownIsNamed() {
        addTree(processes: [100])
        let error = failure { () throws(CgroupError) in try prepare(Self.limits(cpus: "0")) }
        #expect(error?.problem == .notDelegated(limits: [.cpus], controller: "cpuset", directory: Self.own))
    }

    @Test func aControllerThatTheMachineLacksIsNamed() {
        files.addUnified("/cg", controllers: "cpu pids")
        files.addUnified("/cg/user", controllers: "cpu pids", enabled: "cpu pids")
        files.addUnified(Self.own, controllers: "cpu pids", processes: [100])
        let error = failure { () throws(CgroupError) in try prepare(Self.limits(memory: 1 << 24)) }
        #expect(
            error?.problem == .noController(limits: [.memory], controller: "memory", offered: ["cpu", "pids"])
        )
    }

    @Test func withoutPermissionNothingIsLimited() {
        addTree(processes: [100])
        files.protect(Self.own)
        let error = failure { () throws(CgroupError) in try prepare(Self.limits(memory: 1 << 24)) }
        #expect(error?.problem == .refused(directory: Self.own, .permissionDenied))
        #expect(error?.description.contains("Delegate=yes") == true)
    }

    @Test func aParentOfSomebodyElsesTreeIsOutOfReach() {
        addTree(processes: [100])
        files.addUnified("/cg/other", controllers: "memory pids", enabled: "memory pids")
        files.protect("/cg/cgroup.procs")
        let error = failure { () throws(CgroupError) in try prepare(Self.limits(memory: 1 << 24), below: "/other") }
        #expect(error?.problem == .contained(own: Self.own, directory: "/cg/other", .permissionDenied))
    }

    @Test func withoutCgroupsNothingIsLimited() {
        var system = system()
        system.hierarchies = []
        let error = failure { () throws(CgroupError) in try prepare(Self.limits(memory: 1 << 24), in: system) }
        #expect(error?.problem == .notMounted)
    }

    @Test func aParentIsMadeAndGivenTheControllersFromTheTop() throws {
        files.addUnified("/cg", controllers: "memory pids", enabled: "pids", processes: [1])
        let parent = try prepare(Self.limits(memory: 1 << 24), below: "/builds/nightly")
        #expect(
            files.log == [
                "/cg/cgroup.subtree_control = +memory", "mkdir /cg/builds",
                "/cg/builds/cgroup.subtree_control = +memory", "mkdir /cg/builds/nightly",
                "/cg/builds/nightly/cgroup.subtree_control = +memory",
            ]
        )
        #expect(parent.places.map(\.directory) == ["/cg/builds/nightly"])
    }

    @Test func aStepGetsItsLimitsAndLeavesNothing() throws {
        files.addUnified("/cg", controllers: "memory pids", enabled: "memory pids")
        files.addUnified("/cg/user", controllers: "memory pids", enabled: "memory pids")
        files.addUnified(Self.own, controllers: "memory pids", enabled: "memory pids")
        let parent = try prepare(Self.limits(memory: 1 << 24, processes: 9))
        let step = try parent.makeStepCgroup()
        let directory = try #require(step.unifiedDirectory)
        #expect(
            files.log == [
                "mkdir \(directory)", "\(directory)/memory.max = 16777216", "\(directory)/memory.swap.max = 16777216",
                "\(directory)/pids.max = 10",
            ]
        )
        step.remove()
        #expect(files.log.last == "rmdir \(directory)")
    }

    @Test func aRefusedValueLeavesNothing() throws {
        addTree(processes: [100])
        let parent = try prepare(Self.limits(memory: 1 << 24))
        files.refuse("memory.max", with: .invalidArgument)
        do throws(CgroupError) {
            _ = try parent.makeStepCgroup()
            Issue.record("the limit was set")
        } catch {
            guard case .setting(.memory, "16777216", _, .invalidArgument) = error.problem else {
                Issue.record("\(error)")
                return
            }
        }
        #expect(files.log.last?.hasPrefix("rmdir \(Self.own)/swbuild-") == true)
    }

    @Test func aKernelThatDoesNotCountSwapMattersOnlyWhenAsked() throws {
        addTree(processes: [100])
        files.refuse("memory.swap.max", with: .noSuchFileOrDirectory)
        var limits = Self.limits(memory: 1 << 24)
        try prepare(limits).makeStepCgroup().remove()
        limits.memoryAndSwap = .bytes(1 << 24)
        let parent = try prepare(limits)
        #expect(throws: CgroupError.self) { try parent.makeStepCgroup() }
    }

    @Test func onlyWhatNobodyHasLockedIsCleanedUp() throws {
        addTree(processes: [])
        for name in [
            "swbuild-7-1", "swbuild-8-self", "swbuild-8-self3", "swbuild-8-selfish", "swbuild-9-2", "swbuild-x",
            "other",
            "swbuild-7-1/inner",
        ] {
            files.addDirectory("\(Self.own)/\(name)")
        }
        files.lock("\(Self.own)/swbuild-9-2")
        _ = try prepare(Self.limits(memory: 1 << 24))
        #expect(
            files.log.filter { $0.hasPrefix("rmdir") } == [
                "rmdir \(Self.own)/swbuild-7-1/inner", "rmdir \(Self.own)/swbuild-7-1",
                "rmdir \(Self.own)/swbuild-8-self", "rmdir \(Self.own)/swbuild-8-self3",
            ]
        )
        #expect(files.hasDirectory("\(Self.own)/swbuild-9-2"))
        // What cannot be removed at once may have processes.
        #expect(files.log.contains("\(Self.own)/swbuild-7-1/cgroup.kill = 1"))
    }

    // MARK: - Version 1

    private static let memory = CgroupHierarchy(legacyControllers: [.memory], mount: "/m", own: "/m/job")
    private static let cpuset = CgroupHierarchy(legacyControllers: [.cpuset], mount: "/s", own: "/s")

    @Test func version1HasADirectoryForEachController() throws {
        files.addDirectory("/m/job")
        files.addDirectory(
            "/s",
            files: ["cpuset.cpus": "0-3\n", "cpuset.mems": "0\n", "cpuset.effective_cpus": "0-3\n"]
        )
        let parent = try prepare(
            Self.limits(memory: 1 << 24, cpus: "1-2"),
            in: system(isRoot: true, Self.memory, Self.cpuset)
        )
        let step = try parent.makeStepCgroup()
        let directories = step.legacyDirectories
        #expect(step.unifiedDirectory == nil)
        #expect(directories.map { $0.split(separator: "-")[0] } == ["/m/job/swbuild", "/s/swbuild"])
        #expect(
            files.log == [
                "mkdir \(directories[0])", "\(directories[0])/memory.limit_in_bytes = 16777216",
                "\(directories[0])/memory.memsw.limit_in_bytes = 33554432", "mkdir \(directories[1])",
                "\(directories[1])/cpuset.cpus = 0-3", "\(directories[1])/cpuset.mems = 0",
                "\(directories[1])/cpuset.cpus = 1-2",
            ]
        )
    }

    @Test func aParentOfVersion1HasProcessorsFromTheTop() throws {
        files.addDirectory(
            "/s",
            files: ["cpuset.cpus": "0-3\n", "cpuset.mems": "0\n", "cpuset.effective_cpus": "0-3\n"]
        )
        _ = try prepare(Self.limits(cpus: "1"), below: "/a/b", in: system(isRoot: true, Self.cpuset))
        #expect(
            files.log == [
                "mkdir /s/a", "/s/a/cpuset.cpus = 0-3", "/s/a/cpuset.mems = 0", "mkdir /s/a/b",
                "/s/a/b/cpuset.cpus = 0-3", "/s/a/b/cpuset.mems = 0",
            ]
        )
    }

    @Test func processorsThatAreNotThereAreRefused() {
        files.addDirectory("/s", files: ["cpuset.effective_cpus": "0-3\n"])
        let error = failure { () throws(CgroupError) in
            try prepare(Self.limits(cpus: "3-4"), in: system(isRoot: true, Self.cpuset))
        }
        guard case .unavailable(.cpus, _, let available) = error?.problem else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(available.description == "0-3")
    }

    @Test func version1IsNotDividedAmongUsers() {
        files.addDirectory("/m/job")
        files.protect("/m/job")
        let error = failure { () throws(CgroupError) in
            try prepare(Self.limits(memory: 1 << 24), in: system(Self.memory))
        }
        #expect(error?.problem == .refused(directory: "/m/job", .permissionDenied))
        #expect(error?.description.contains("version 1 of cgroups gives ordinary users none") == true)
    }

    @Test func whatAStepIsRefusedInVersion1IsNoMatterOfDelegation() throws {
        files.addDirectory("/m/job")
        let parent = try prepare(Self.limits(memory: 1 << 24), in: system(Self.memory))
        files.protect("/m/job")
        let error = #expect(throws: CgroupError.self) { try parent.makeStepCgroup() }
        #expect(error?.description.contains("version 1 of cgroups gives ordinary users none") == true)
    }

    @Test func figuresAloneAreNotWorthAnError() throws {
        files.addDirectory("/m/job")
        files.addDirectory("/s", files: ["cpuset.cpus": "0-3\n", "cpuset.mems": "0\n"])
        files.protect("/m/job")
        let parent = try prepare(Self.limits(cpus: "1"), in: system(Self.memory, Self.cpuset))
        #expect(parent.places.map(\.directory) == ["/s"])
    }
}
