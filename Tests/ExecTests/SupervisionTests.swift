import Exec
import Glibc
import Synchronization
import SystemPackage
import Testing

/// System calls of a step that are answered by this program.
@Suite struct SupervisionTests {
    private static let directoryCalls = ["mkdir", "mkdirat"]

    @Test func answersForTheKernel() throws {
        let root = try TestRoot()
        let cases: [(CallAnswer, String)] = [
            (.proceed, "made\n"), (.value(0), "said to be made\n"),
            (.failure(.diskQuotaExceeded), "Disk quota exceeded"),
        ]
        for (answer, expected) in cases {
            let supervisor = Recorder(traps: [CallTrap(Self.directoryCalls)]) { _ in answer }
            let script = """
                mkdir /tmp/d 2>/tmp/error || { cat /tmp/error; exit; }
                test -d /tmp/d && echo made || echo said to be made
                """
            let output = try root.plan(script).run(supervisor).output
            #expect(output.hasSuffix(expected) || output.contains(expected), "\(output)")
            #expect(supervisor.calls.map(\.name) == ["mkdir"] || supervisor.calls.map(\.name) == ["mkdirat"])
        }
    }

    @Test func tellsWhoAsksForWhat() throws {
        let root = try TestRoot()
        let supervisor = Recorder(traps: [CallTrap(["chmod", "fchmodat"])]) { call in
            guard call.isWaiting, call.isNative else { return .failure(.invalidArgument) }
            let command = TestRoot.read("/proc/\(call.thread)/comm")
            return command == "chmod\n" ? .proceed : .failure(.permissionDenied)
        }
        let output = try root.plan("echo > /tmp/f; chmod 640 /tmp/f; stat -c %a /tmp/f").run(supervisor).output
        #expect(output == "640\n")
        #expect(supervisor.calls.count == 1)
        #expect(supervisor.calls.first?.arguments.contains(0o640) == true)
    }

    @Test func asksOnlyWhereArgumentsAreAsTheTrapSays() throws {
        let root = try TestRoot()
        // `kill` of nothing: signal 0 is looked at, signal 17 not.
        let trap = CallTrap(["kill"], where: [CallTrap.lowerHalf(of: 1, is: 0)])
        let supervisor = Recorder(traps: [trap]) { _ in .proceed }
        let ran = try root.plan("kill -0 $$; kill -17 $$; kill -0 $$").run(supervisor)
        #expect(ran.status == .exited(0))
        #expect(supervisor.calls.count == 2)
    }

    @Test func asksAboutNothingThatTheFilterRefuses() throws {
        let root = try TestRoot()
        let script = "mount -t tmpfs none /tmp 2>&1 || true"
        let first = Recorder(traps: [CallTrap(["mount"])]) { _ in .value(0) }
        _ = try root.plan(script).run(first)
        #expect(first.calls.isEmpty)
        let second = Recorder(traps: [CallTrap(["mount"])]) { _ in .value(0) }
        let ran = try root.plan(script).with { $0.seccomp = .unconfined }.run(second)
        #expect(ran.output.isEmpty)
        #expect(second.calls.count == 1)
    }

    @Test func supervisesAnyUserAndSetUserIDStillWorks() throws {
        let root = try TestRoot()
        let supervisor = Recorder(traps: [CallTrap(Self.directoryCalls)]) { _ in .proceed }
        let plan = try root.plan("mkdir /tmp/d; grep NoNewPrivs /proc/self/status").with {
            $0.credentials = Credentials(uid: 1000, gid: 1001)
        }
        let output = try plan.run(supervisor).output
        #expect(output == "NoNewPrivs:\t0\n")
        #expect(supervisor.calls.count == 1)

        let restricted = Recorder(traps: [CallTrap(Self.directoryCalls)]) { _ in .proceed }
        let ran = try root.plan("mkdir /tmp/d").with { $0.noNewPrivileges = true }.run(restricted)
        #expect(ran.status == .exited(0))
        #expect(restricted.calls.count == 1)
    }

    @Test func answersManyAtOnce() throws {
        let root = try TestRoot()
        let supervisor = Recorder(traps: [CallTrap(Self.directoryCalls)]) { _ in .proceed }
        let script = """
            for i in 1 2 3 4; do
                (for j in 1 2 3 4 5 6 7 8; do mkdir /tmp/$i.$j || exit 1; done) &
            done
            wait
            ls /tmp | wc -l
            """
        #expect(try root.plan(script).run(supervisor).output == "32\n")
        #expect(supervisor.calls.count == 32)
    }

    @Test func theFirstThatDecidesIsBelieved() throws {
        let root = try TestRoot()
        let passing = Recorder(traps: [CallTrap(Self.directoryCalls)]) { _ in .proceed }
        let deciding = Recorder(traps: [CallTrap(Self.directoryCalls)]) { _ in .failure(.readOnlyFileSystem) }
        let last = Recorder(traps: [CallTrap(Self.directoryCalls)]) { _ in .value(0) }
        let other = Recorder(traps: [CallTrap(["rmdir", "unlinkat"])]) { _ in .value(0) }
        let ran = try root.plan("mkdir /tmp/d 2>&1; rmdir /absent").run(passing, deciding, last, other)
        #expect(ran.output.contains("Read-only file system"))
        #expect([passing, deciding, last, other].map(\.calls.count) == [1, 1, 0, 1])
    }

    @Test func aStepThatIsCancelledWhileItWaitsEnds() throws {
        let root = try TestRoot()
        let cancellation = Cancellation()
        let supervisor = Recorder(traps: [CallTrap(Self.directoryCalls)]) { _ in
            cancellation.cancel()
            return .proceed
        }
        let supervision = try Supervision(filter: CallFilter(supervisor.traps), supervisors: [supervisor])
        let outcome = try root.plan("mkdir /tmp/d; sleep 1000").run(
            cancellation: cancellation,
            supervision: supervision
        ) { _, _ in }
        #expect(outcome.status == .signaled(SIGKILL))
    }

    @Test func aFailureToStartIsStillToldOfSupervisedSteps() throws {
        let root = try TestRoot()
        let supervisor = Recorder(traps: [CallTrap(Self.directoryCalls)]) { _ in .proceed }
        let plan = try root.plan(arguments: ["/absent"])
        let error = try #require(throws: SandboxError.self) { try plan.run(supervisor) }
        #expect(error.stage == .execute("/absent"))
    }
}

/// Keeps what it is asked.
private final class Recorder: CallSupervisor {
    struct Call: Sendable {
        var name: String
        var arguments: [UInt64]
    }

    let traps: [CallTrap]
    private let decide: @Sendable (borrowing TrappedCall) -> CallAnswer
    private let seen = Mutex<[Call]>([])

    init(traps: [CallTrap], _ decide: @escaping @Sendable (borrowing TrappedCall) -> CallAnswer) {
        self.traps = traps
        self.decide = decide
    }

    var calls: [Call] { seen.withLock { $0 } }

    func answer(_ call: borrowing TrappedCall) -> CallAnswer {
        let seenCall = Call(name: call.name, arguments: call.arguments)
        seen.withLock { $0.append(seenCall) }
        return decide(call)
    }
}

extension SandboxPlan {
    @discardableResult
    fileprivate func run(_ supervisors: Recorder...) throws -> Ran {
        let supervision = try Supervision(filter: CallFilter(supervisors.flatMap(\.traps)), supervisors: supervisors)
        return try run(Cancellation(), supervision)
    }
}
