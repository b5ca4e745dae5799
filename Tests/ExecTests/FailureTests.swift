import Exec
import Glibc
import SystemPackage
import Testing

/// How a step that cannot be started says so, and what it leaves behind: nothing.
@Suite struct FailureTests {
    let root: TestRoot

    init() throws {
        root = try TestRoot()
        try root.makeDirectory("base/opt")
        try root.write("#!/no/interpreter\n", to: "base/opt/script")
        try root.write("text", to: "base/opt/text")
        chmod(root.path("base/opt/script"), 0o755)
        chmod(root.path("base/opt/text"), 0o755)
    }

    @Test(arguments: [
        (
            "no-such-tool", SandboxError.Stage.execute("no-such-tool"), Errno.noSuchFileOrDirectory,
            "not found in PATH (/bin)"
        ),
        ("/no/tool", .execute("/no/tool"), .noSuchFileOrDirectory, "no such file"),
        ("/etc/passwd", .execute("/etc/passwd"), .permissionDenied, "not executable"),
        ("/etc", .execute("/etc"), .permissionDenied, "not executable"),
        ("/etc/passwd/x", .execute("/etc/passwd/x"), .notDirectory, "not a directory"),
        ("/opt/script", .interpreter("/opt/script"), .noSuchFileOrDirectory, "interpreter"),
        ("/opt/text", .execute("/opt/text"), .execFormatError, "neither a program"),
        ("", .execute(""), .noSuchFileOrDirectory, "command is empty"),
    ])
    func saysWhyAProgramDoesNotRun(
        program: String,
        stage: SandboxError.Stage,
        errno: Errno,
        text: String
    ) throws {
        let error = try #require(failure(of: try root.plan(arguments: [program])))
        #expect(error.stage == stage)
        #expect(error.errno == errno)
        #expect(error.description.contains(text), "\(error)")
        #expect(error.description.contains(program))
    }

    @Test func namesTheOperationThatFailed() throws {
        var plan = try root.plan("true")
        plan.root.lowerDirectories.insert(root.path("no-layer"), at: 0)
        let error = try #require(failure(of: plan))
        #expect(error.stage == .operation("mount the root over 2 layers"))
        #expect(error.errno == .noSuchFileOrDirectory)
    }

    @Test func namesTheDirectoryThatIsNone() throws {
        let file = try #require(failure(of: try root.plan("true").with { $0.workingDirectory = "/etc/passwd" }))
        #expect(file.stage == .workingDirectory)
        #expect(file.description.contains("/etc/passwd is not a directory"))
        let beneath = try #require(failure(of: try root.plan("true").with { $0.workingDirectory = "/etc/passwd/x" }))
        #expect(beneath.stage == .workingDirectory)
    }

    @Test func refusesTextsThatCWouldCutOff() throws {
        let error = try #require(failure(of: try root.plan(arguments: ["echo", "a\0b"])))
        #expect(error.errno == .invalidArgument)
        #expect(error.description.contains("NUL"))
        #expect(failure(of: try root.plan(arguments: []))?.stage == .execute(""))
    }

    @Test func explainsAnUnmappedUser() throws {
        let plan = try root.plan("true").with {
            $0.idMaps = IDMaps(
                users: [.init(inside: 0, outside: 0, count: 10)],
                groups: [.init(inside: 0, outside: 0, count: 10)]
            )
            $0.credentials = Credentials(uid: 1000, gid: 5)
        }
        let error = try #require(failure(of: plan))
        #expect(error.stage == .credentials || error.stage == .standardStreams)
    }

    @Test func leavesNoProcessesAndNoDescriptors() async {
        await #expect(processExitsWith: .success) { [directory = root.directory as String] in
            let root = TestRoot(of: directory)
            let failing = try root.plan("true").with { $0.root.upperDirectory = root.path("none") }
            let missing = try root.plan(arguments: ["missing"])
            func descriptors() -> Int { TestRoot.names(in: "/proc/self/fd").count }
            _ = failure(of: missing)
            let before = descriptors()
            for _ in 0..<1000 { _ = failure(of: failing) }
            try #require(descriptors() == before)
            try #require(waitpid(-1, nil, WNOHANG | CInt(bitPattern: UInt32(__WALL))) == -1 && errno == ECHILD)
        }
    }

    @Test func saysWhenDescriptorsRunOut() async {
        await #expect(processExitsWith: .success) { [directory = root.directory as String] in
            let root = TestRoot(of: directory)
            let plans = try (0..<16).map { _ in try root.plan("true") }
            let cancellation = Cancellation()
            let used = TestRoot.names(in: "/proc/self/fd").count
            var failures = 0
            for (more, plan) in plans.enumerated() {
                var limit = rlimit(rlim_cur: rlim_t(used + more), rlim_max: 4096)
                try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
                do throws(SandboxError) {
                    _ = try plan.run(cancellation: cancellation) { _, _ in }
                } catch {
                    failures += 1
                    try #require(error.errno == .tooManyOpenFiles, "\(error)")
                }
            }
            try #require(failures > 3)
        }
    }

    @Test func restoresTheSignalMaskWhenTheCloneFails() async {
        await #expect(processExitsWith: .success) { [directory = root.directory as String] in
            let root = TestRoot(of: directory)
            // Not a cgroup: clone3 refuses it.
            let plan = try root.plan("true").with { $0.cgroupDirectory = "/proc" }
            var before = sigset_t()
            var after = sigset_t()
            pthread_sigmask(SIG_SETMASK, nil, &before)
            let error = try #require(failure(of: plan))
            try #require(error.stage == .clone, "\(error)")
            pthread_sigmask(SIG_SETMASK, nil, &after)
            for signal in 1...64 {
                try #require(sigismember(&before, CInt(signal)) == sigismember(&after, CInt(signal)))
            }
        }
    }
}
