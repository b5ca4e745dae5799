import Exec
import Glibc
import Testing

/// Steps that somebody looks at: input, terminals, signals.
@Suite struct AttachedTests {
    let root: TestRoot

    init() throws {
        root = try TestRoot()
    }

    /// Files that take what comes out, and the input.
    private struct Streams {
        let input: CInt
        let output: CInt
        let error: CInt

        init(_ root: TestRoot, input text: String) throws {
            try root.write(text, to: "host/input")
            try root.write("", to: "host/output")
            try root.write("", to: "host/error")
            input = open(root.path("host/input"), O_RDONLY | O_CLOEXEC)
            output = open(root.path("host/output"), O_WRONLY | O_CLOEXEC)
            error = open(root.path("host/error"), O_WRONLY | O_CLOEXEC)
            try #require(input >= 0 && output >= 0 && error >= 0)
        }

        func close() {
            for number in [input, output, error] { Glibc.close(number) }
        }
    }

    private func run(
        _ script: String,
        _ input: SandboxPlan.StandardInput,
        text: String = "",
        signals: SignalRelay = SignalRelay()
    ) throws -> (status: Exec.ExitStatus, output: String, error: String) {
        let streams = try Streams(root, input: text)
        defer { streams.close() }
        let plan = try root.plan(script).with { $0.standardInput = input }
        let caller = Attachment(
            input: streams.input,
            output: streams.output,
            error: streams.error,
            signals: signals
        )
        let outcome = try plan.run(attachedTo: caller, cancellation: Cancellation())
        return (outcome.status, root.read("host/output") ?? "", root.read("host/error") ?? "")
    }

    @Test func copiesInputAndOutput() throws {
        let ran = try run("cat; echo err >&2; exit 4", .pipe, text: "some text\n")
        #expect(ran.status == .exited(4))
        #expect(ran.output == "some text\n")
        #expect(ran.error == "err\n")
    }

    @Test func copiesMoreThanAPipeHolds() throws {
        let ran = try run("wc -c", .pipe, text: String(repeating: "x", count: 1_000_000))
        #expect(ran.output == "1000000\n")
    }

    @Test func goesOnWhenNobodyReadsTheInput() throws {
        let ran = try run("exec <&-; echo on", .pipe, text: String(repeating: "x", count: 1_000_000))
        #expect(ran.output == "on\n")
    }

    @Test func aTerminalIsTheSandboxsOwn() throws {
        let ran = try run(
            "test -t 0 && test -t 1 && test -t 2 && readlink /proc/self/fd/2; echo x >/dev/tty",
            .terminal
        )
        #expect(ran.output == "/dev/pts/0\r\nx\r\n")
        #expect(ran.error.isEmpty)
    }

    @Test func aTerminalBelongsToTheUser() throws {
        let streams = try Streams(root, input: "")
        defer { streams.close() }
        let plan = try root.plan("stat -c '%u %a' /dev/pts/0; exec 0</dev/pts/0 && echo opened").with {
            $0.standardInput = .terminal
            $0.credentials = Credentials(uid: 1000, gid: 1001)
        }
        let caller = Attachment(
            input: streams.input,
            output: streams.output,
            error: streams.error,
            signals: SignalRelay()
        )
        _ = try plan.run(attachedTo: caller, cancellation: Cancellation())
        #expect(root.read("host/output") == "1000 620\r\nopened\r\n")
    }

    @Test func theKeyForTheEndOfInputWorks() throws {
        let ran = try run("cat; echo end", .terminal, text: "a\n\u{4}")
        #expect(ran.status == .exited(0))
        #expect(ran.output.hasSuffix("a\r\nend\r\n"), "\(ran.output)")
    }

    @Test(arguments: [SIGTERM, SIGINT, SIGHUP, SIGUSR1])
    func signalsReachTheCommand(signal: CInt) throws {
        let signals = SignalRelay()
        // Before the command is there: it waits for it.
        signals.send(signal)
        let ran = try run("while :; do :; done", .pipe, signals: signals)
        #expect(ran.status == .signaled(signal))
    }

    @Test func orphansAreReapedWhileSignalsAreAwaited() throws {
        let script = "for i in 1 2 3 4 5; do (true & ) ; done; while ps | grep -q '\\[true\\]'; do :; done; echo none"
        #expect(try run(script, .pipe).output == "none\n")
    }

    @Test func aFailureIsToldWithATerminalToo() throws {
        let plan = try root.plan(arguments: ["/missing"]).with { $0.standardInput = .terminal }
        let caller = Attachment(signals: SignalRelay())
        #expect(throws: SandboxError.self) {
            try plan.run(attachedTo: caller, cancellation: Cancellation())
        }
    }

    @Test func aCancellationEndsIt() throws {
        let cancellation = Cancellation()
        cancellation.cancel()
        let plan = try root.plan("sleep 1000").with { $0.standardInput = .pipe }
        let outcome = try plan.run(attachedTo: Attachment(signals: SignalRelay()), cancellation: cancellation)
        #expect(outcome.status == .signaled(SIGKILL))
    }
}
