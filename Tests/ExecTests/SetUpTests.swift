import Glibc
import Synchronization
import SystemPackage
import Testing

@testable import Exec

/// Steps that are ended before their command has begun, because what is to be mounted does not answer.
@Suite(.serialized, .timeLimit(.minutes(5))) struct SetUpTests {
    private let root: TestRoot
    private let silence: SilentFileSystem

    init() throws {
        root = try TestRoot()
        try root.makeDirectory("silent")
        silence = try SilentFileSystem(at: "silent", in: root)
    }

    private func plan() throws -> SandboxPlan {
        let source = SandboxPlan.Mount.Kind.bind(
            source: root.path("silent/directory"),
            relative: "",
            readOnly: true,
            recursive: false
        )
        return try root.plan("true", mounts: [.init(target: "/m", kind: source)], stubs: ["m/"])
    }

    @Test func aCancelledStepWithoutALaneEnds() throws {
        let cancellation = Cancellation()
        Self.whenThereIsAProcess { cancellation.cancel() }
        #expect(try plan().run(cancellation).status == .signaled(SIGKILL))
    }

    @Test func aCancelledStepOfALaneEnds() throws {
        try root.makeDirectory("lane", mode: 0o700)
        let plan = try plan()
        let lane = SandboxLane(for: plan, directory: root.path("lane"), remains: SandboxRemains()) { false }
        let cancellation = Cancellation()
        Self.whenThereIsAProcess { cancellation.cancel() }
        #expect(try plan.run(cancellation, lane: lane).status == .signaled(SIGKILL))
    }

    @Test func aStepWithACallerEndsWithASignal() throws {
        let signals = SignalRelay()
        Self.whenThereIsAProcess {
            signals.send(SIGWINCH)
            signals.send(SIGINT)
        }
        let nothing = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(nothing) }
        let outcome = try plan().run(
            attachedTo: Attachment(input: nothing, output: nothing, error: nothing, signals: signals),
            cancellation: Cancellation()
        )
        #expect(outcome.status == .signaled(SIGINT))
    }

    /// Calls a function when this process has one more child that is process 1 of a sandbox.
    private static func whenThereIsAProcess(_ then: @escaping @Sendable () -> Void) {
        let before = TestRoot.sandboxes()
        Task.detached {
            while TestRoot.sandboxes().isSubset(of: before) { usleep(1000) }
            then()
        }
    }
}

/// A file system whose every answer is awaited for ever: FUSE, without a program that would answer.
private final class SilentFileSystem: Sendable {
    private let path: String
    /// Removes what is in it at its end, which must come after this file system's.
    private let root: TestRoot
    private let connection: Mutex<CInt>

    init(at name: String, in root: TestRoot) throws {
        self.root = root
        path = root.path(name)
        let connection = open("/dev/fuse", O_RDWR | O_CLOEXEC)
        self.connection = Mutex(connection)
        try #require(connection >= 0, "open /dev/fuse: \(Errno(rawValue: errno))")
        let options = "fd=\(connection),rootmode=40000,user_id=0,group_id=0"
        let result = mount("silent", path, "fuse", UInt(MS_NOSUID | MS_NODEV), options)
        try #require(result == 0, "mount: \(Errno(rawValue: errno))")
        // A step that nobody ends would be waited for without an end: the test fails instead.
        Task.detached { [weak self] in
            try await Task.sleep(for: .seconds(120))
            self?.disconnect()
        }
    }

    /// The end of the connection is the end of all that waits.
    private func disconnect() {
        let open = connection.withLock { connection in
            defer { connection = -1 }
            return connection
        }
        if open >= 0 { close(open) }
    }

    deinit {
        disconnect()
        umount2(path, CInt(MNT_DETACH))
    }
}
