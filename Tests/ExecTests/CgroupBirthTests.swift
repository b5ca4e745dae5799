import Exec
import Glibc
import SystemPackage
import Testing

/// Steps in a cgroup version 2 of the kernel's, where one can be mounted that has no controllers.
@Suite(.serialized) struct CgroupBirthTests {
    private let root: TestRoot
    private let hierarchy: MountedHierarchy

    init() throws {
        root = try TestRoot()
        try root.makeDirectory("unified")
        hierarchy = try MountedHierarchy(at: "unified", in: root)
    }

    @Test func aStepBeginsInItsCgroupAndEndsWithIt() throws {
        let directory = hierarchy.cgroup
        let cancellation = Cancellation()
        let plan = try root.plan("sleep 1000 & (sleep 1000 &); cat /proc/self/cgroup; sleep 1000").with {
            $0.cgroupDirectory = directory
        }
        var processes = 0
        var output: [UInt8] = []
        let outcome = try plan.run(cancellation: cancellation) { _, bytes in
            output += bytes
            // Process 1, the shell and what it has started: all that there is of the step.
            processes = max(processes, TestRoot.read("\(directory)/cgroup.procs")?.split(separator: "\n").count ?? 0)
            cancellation.cancel()
        }
        #expect(outcome.status == .signaled(SIGKILL))
        #expect(processes >= 4)
        // It sees its own as the root.
        #expect(String(decoding: output, as: UTF8.self).contains("0::/\n"))
        #expect(TestRoot.read("\(directory)/cgroup.procs")?.isEmpty == true)
    }

    @Test func aStepWithoutOneStaysInTheCallers() throws {
        let directory = hierarchy.cgroup
        var processes = ""
        let outcome = try root.plan("echo here").run(cancellation: Cancellation()) { _, _ in
            processes += TestRoot.read("\(directory)/cgroup.procs") ?? ""
        }
        #expect(outcome.status == .exited(0))
        #expect(processes.isEmpty)
    }
}

/// A hierarchy of version 2 at a directory, with a cgroup in it.
private final class MountedHierarchy: Sendable {
    private let path: String
    /// Removes what is in it at its end, which must come after this hierarchy's.
    private let root: TestRoot
    let cgroup: String

    init(at name: String, in root: TestRoot) throws {
        self.root = root
        path = root.path(name)
        cgroup = "\(path)/swbuild-test-\(getpid())"
        let result = mount("none", path, "cgroup2", 0, nil)
        try #require(result == 0, "mount: \(Errno(rawValue: errno))")
        try #require(mkdir(cgroup, 0o755) == 0, "mkdir \(cgroup): \(Errno(rawValue: errno))")
    }

    deinit {
        // The kernel needs a moment until processes that have ended are out of it.
        while rmdir(cgroup) != 0, errno == EBUSY { usleep(1000) }
        umount2(path, CInt(MNT_DETACH))
    }
}
