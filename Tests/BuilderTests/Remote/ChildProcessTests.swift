import Exec
import Glibc
import Testing

@testable import Builder

@Suite struct ChildProcessTests {
    private func process(_ arguments: String...) -> ChildProcess {
        ChildProcess(
            arguments: arguments,
            environment: ["PATH=/usr/bin:/bin", "A=b"],
            cancellation: Cancellation()
        )
    }

    @Test(arguments: [
        ("echo out; echo err >&2", 0, "out\n", "err\n"), ("exit 3", 3, "", ""), ("kill -9 $$", 137, "", ""),
        ("echo $A$HOME", 0, "b\n", ""), ("cat", 0, "", ""), ("exec >&- 2>&-; exit 4", 4, "", ""),
    ])
    func endsAreTold(script: String, status: CInt, output: String, errors: String) throws {
        let result = try process("sh", "-c", script).run()
        #expect(result.status == status)
        #expect(String(decoding: result.output, as: UTF8.self) == output)
        #expect(String(decoding: result.errors, as: UTF8.self) == errors)
    }

    @Test func longOutputIsWhole() throws {
        let result = try process("sh", "-c", "head -c 3000000 /dev/zero; head -c 300000 /dev/zero >&2").run()
        #expect(result.output.count == 3_000_000)
        #expect(result.errors.count <= 200_000)
    }

    @Test func helpersThatStayDoNotHoldItUp() throws {
        let result = try process("sh", "-c", "sleep 1000 & echo begun").run()
        #expect(String(decoding: result.output, as: UTF8.self) == "begun\n")
    }

    @Test func signalsReachIt() throws {
        var blocked = sigset_t()
        var before = sigset_t()
        sigemptyset(&blocked)
        sigaddset(&blocked, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &blocked, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        #expect(try process("sh", "-c", "kill -TERM $$; exit 0").run().status == 143)
    }

    @Test func limitsEndIt() {
        var talkative = process("cat", "/dev/zero")
        talkative.limits.output = 1000
        expectFailure(of: talkative) { if case .tooMuchOutput = $0 { true } else { false } }
        var slow = process("sleep", "1000")
        slow.limits.seconds = 0
        expectFailure(of: slow) { if case .timedOut = $0 { true } else { false } }
        var watched = process("sleep", "1000")
        watched.mayGoOn = { false }
        expectFailure(of: watched) { if case .stopped = $0 { true } else { false } }
    }

    @Test func aCancellationEndsIt() {
        let cancelled = process("sleep", "1000")
        cancelled.cancellation.cancel()
        expectFailure(of: cancelled) { if case .cancelled = $0 { true } else { false } }
    }

    @Test func aProgramThatIsNotThereIsNamed() {
        expectFailure(of: process("no-such-program")) { failure in
            if case .cannotStart(let errno) = failure { errno == ENOENT } else { false }
        }
    }

    private func expectFailure(of process: ChildProcess, _ isExpected: (ChildProcess.Failure) -> Bool) {
        do throws(ChildProcess.Failure) {
            _ = try process.run()
            Issue.record("it ran to its end")
        } catch {
            #expect(isExpected(error), "\(error)")
        }
    }
}
