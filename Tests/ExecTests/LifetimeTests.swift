import Exec
import Glibc
import Synchronization
import Testing

/// When a step ends, and what ends with it.
@Suite struct LifetimeTests {
    let root: TestRoot

    init() throws {
        root = try TestRoot()
    }

    @Test(arguments: [
        "sleep 1000 & echo started", "(sleep 1000; echo late) & echo started", "setsid sleep 1000 & echo started",
    ])
    func endsWithItsCommandWhateverRunsOn(script: String) throws {
        #expect(try root.plan(script).output() == "started\n")
    }

    @Test func takesWhatBackgroundProcessesWroteBefore() throws {
        let script = "(echo early; sleep 1000) & while ! test -e /ok; do sh -c 'sleep 0.01; touch /ok'; done; echo end"
        #expect(try root.plan(script).output() == "early\nend\n")
    }

    @Test func isCancelledAtOnce() throws {
        let cancellation = Cancellation()
        let plan = try root.plan("trap '' TERM INT; sleep 1000 & echo ready; sleep 1000")
        var output: [UInt8] = []
        let outcome = try plan.run(cancellation: cancellation) { _, bytes in
            output += bytes
            cancellation.cancel()
        }
        #expect(String(decoding: output, as: UTF8.self) == "ready\n")
        #expect(outcome.status == .signaled(SIGKILL))
        #expect(cancellation.isCancelled)
        #expect(try root.plan("echo never").run(cancellation).output == "")
    }

    @Test func cancelsEveryStepThatRunsWithIt() async throws {
        let cancellation = Cancellation()
        let plans = try (0..<4).map { _ in try root.plan("echo ready; sleep 1000") }
        let ready = Atomic<Int>(0)
        let statuses = await concurrently(plans) { plan in
            try plan.run(cancellation: cancellation) { _, _ in
                if ready.add(1, ordering: .relaxed).newValue == plans.count { cancellation.cancel() }
            }.status
        }
        #expect(statuses == Array(repeating: .signaled(SIGKILL), count: 4))
    }

    @Test func runsManyAtOnce() async throws {
        let plans = try (0..<64).map { try root.plan("echo \($0); cat /proc/sys/kernel/hostname") }
        let outputs = await concurrently(plans) { try $0.run().output }
        #expect(outputs == (0..<64).map { "\($0)\nsandbox\n" })
    }

    @Test func diesWithTheProgramThatStartedIt() async throws {
        // A step holds the writing end of a FIFO of the host: its reader sees the end when the last process is gone.
        let fifo = "/tmp/swbuild-exec-fifo.\(getpid())"
        try #require(mkfifo(fifo, 0o600) == 0)
        defer { unlink(fifo) }
        let reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        try #require(reader >= 0)
        defer { close(reader) }
        await #expect(processExitsWith: .signal(SIGKILL)) {
            [fifo = fifo as String, directory = root.directory as String] in
            let root = TestRoot(of: directory)
            let kind = SandboxPlan.Mount.Kind.bind(source: fifo, relative: "", readOnly: false, recursive: false)
            let plan = try root.plan(
                "exec 3>/f; setsid sleep 1000 & echo held >&3; echo ready; sleep 1000",
                mounts: [.init(target: "/f", kind: kind)],
                stubs: ["f"]
            )
            _ = try plan.run(cancellation: Cancellation()) { _, _ in kill(getpid(), SIGKILL) }
        }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64)
        var polled = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
        while poll(&polled, 1, 60_000) == 1 {
            let count = read(reader, &buffer, buffer.count)
            if count == 0 { break }
            if count > 0 { text += buffer[..<count] }
        }
        #expect(String(decoding: text, as: UTF8.self) == "held\n")
        #expect(polled.revents != 0, "the step lives on")
    }

    @Test func connectsStreamsWhenTheCallersAreClosed() async {
        await #expect(processExitsWith: .success) { [directory = root.directory as String] in
            let root = TestRoot(of: directory)
            let plan = try root.plan("echo out; echo err >&2; cat; ls /proc/self/fd")
            for descriptor: CInt in 0...2 { close(descriptor) }
            let ran = try plan.run()
            if ran.output != "out\n0\n1\n2\n3\n" || ran.error != "err\n" || ran.status != .exited(0) { _exit(3) }
        }
    }
}

/// Does something with every element, each on a thread of its own, and returns what came of it in order.
private func concurrently<Element: Sendable, Value: Sendable>(
    _ elements: [Element],
    _ body: @escaping @Sendable (Element) throws -> Value
) async -> [Value] {
    await withTaskGroup(of: (Int, Value?).self) { group in
        for (index, element) in elements.enumerated() {
            group.addTask {
                await withCheckedContinuation { continuation in
                    onThread {
                        let value: Value?
                        do {
                            value = try body(element)
                        } catch {
                            Issue.record("\(error)")
                            value = nil
                        }
                        continuation.resume(returning: (index, value))
                    }
                }
            }
        }
        var values: [(Int, Value?)] = []
        for await value in group { values.append(value) }
        return values.sorted { $0.0 < $1.0 }.compactMap(\.1)
    }
}

/// Runs something on a new thread: a step's life is tied to the thread that started it.
private func onThread(_ body: @escaping @Sendable () -> Void) {
    final class Work: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let failure = pthread_create(
        &thread,
        nil,
        { argument in
            if let argument { Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body() }
            return nil
        },
        Unmanaged.passRetained(Work(body)).toOpaque()
    )
    if failure == 0 { pthread_detach(thread) } else { Issue.record("no thread: \(failure)") }
}
