import Dispatch
import Exec
import Glibc
import LayerDiff
import OCI
import Synchronization

/// An agent of the build's own with keys from files, as long as the value lives.
///
/// It is OpenSSH's: what signs with somebody's key should be what they sign with anyway. A shell is its parent, which
/// ends it when the pipe from this program closes: so it goes with this program, whatever ends that.
final class KeyAgent: Sendable {
    /// Where the agent listens.
    let socket: UnixSocket
    /// What the agent's shell waits for the end of.
    private let pipe: Mutex<OwnedDescriptor?>
    private let end = End()

    /// The end of the agent, and the last that it said.
    private final class End: Sendable {
        let reached = DispatchSemaphore(value: 0)
        let words = Mutex<String?>(nil)
    }

    private static let script = "cd \"$1\" && { ssh-agent -D -a agent >/dev/null & cat; kill $!; }"
    private static let addScript = "cd \"$1\" && SSH_AUTH_SOCK=agent exec ssh-add -q -"

    /// Starts the agent in `directory`, a new one of the caller's alone, and gives it the keys.
    init(keys: [SSHKey], in directory: String, _ cancellation: Cancellation) throws {
        socket = try UnixSocket(path: "\(directory)/agent")
        let ends = try Descriptors.pipe()
        let input = OwnedDescriptor(owning: ends.reader, path: "a pipe")
        pipe = Mutex(OwnedDescriptor(owning: ends.writer, path: "a pipe"))
        let code = startThread { [end] in
            let said = Self.run(in: directory, until: input)
            end.words.withLock { $0 = said }
            end.reached.signal()
        }
        guard code == 0 else {
            end.reached.signal()
            throw ThreadError(code: code)
        }
        try waitForStart()
        for key in keys { try add(key, in: directory, cancellation) }
    }

    deinit {
        pipe.withLock { $0 = nil }
        end.reached.wait()
    }

    /// Runs the agent until the pipe closes: the last that it said.
    private static func run(in directory: String, until input: OwnedDescriptor) -> String {
        let process = ChildProcess(
            arguments: ["sh", "-c", script, "sh", directory],
            environment: environment,
            inputFile: input.raw,
            limits: ChildProcess.Limits(seconds: .max >> 1, output: 64 << 10),
            // The end of the pipe is the end of the agent, also of a build that was interrupted.
            cancellation: Cancellation()
        )
        return withExtendedLifetime(input) { (try? process.run()).map(lastLine) ?? "sh cannot be started" }
    }

    private func waitForStart() throws {
        let deadline = Clock.now() + 10
        while socket.connect() == nil {
            if let said = end.words.withLock({ $0 }) { throw KeyAgentError.noAgent(said) }
            guard Clock.now() < deadline else { throw KeyAgentError.noAgent("it does not listen after 10 seconds") }
            usleep(2000)
        }
    }

    private func add(_ key: SSHKey, in directory: String, _ cancellation: Cancellation) throws {
        // No pipe: with many of them open, theirs are too small for a key that nobody reads yet (pipe(7)).
        let input = OwnedDescriptor(owning: try Descriptors.memoryFile("ssh-key"), path: "a file in memory")
        try HostFile.write(key.value[...], descriptor: input.raw, named: "a file in memory")
        lseek(input.raw, 0, SEEK_SET)
        let process = ChildProcess(
            arguments: ["sh", "-c", Self.addScript, "sh", directory],
            environment: Self.environment,
            inputFile: input.raw,
            limits: ChildProcess.Limits(seconds: 20, output: 64 << 10),
            cancellation: cancellation
        )
        let result: ChildProcess.Result
        do throws(ChildProcess.Failure) {
            result = try withExtendedLifetime(input) { () throws(ChildProcess.Failure) in try process.run() }
        } catch {
            throw KeyAgentError.refused(path: key.path, said: "ssh-add did not end")
        }
        if result.status == 127 { throw KeyAgentError.noAgent(Self.lastLine(of: result)) }
        guard result.status == 0 else { throw KeyAgentError.refused(path: key.path, said: Self.lastLine(of: result)) }
    }

    /// No question to anybody: neither by a terminal nor by a window.
    private static var environment: [String] {
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        return ["PATH=\(path)", "LC_ALL=C", "SSH_ASKPASS=/bin/false", "SSH_ASKPASS_REQUIRE=force"]
    }

    private static func lastLine(of result: ChildProcess.Result) -> String {
        let line = String(decoding: result.errors, as: UTF8.self).split(whereSeparator: \.isNewline).last ?? ""
        let shown = line.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }
        let text = String(String.UnicodeScalarView(shown)).prefix(300)
        return text.isEmpty ? "it ended with status \(result.status)" : String(text)
    }
}

/// A private key from a file.
struct SSHKey: Sendable {
    var path: String
    var value: [UInt8]

    /// Larger files are no keys.
    private static let limit = 32 << 10

    init(path: String) throws {
        self.path = path
        value = try HostFile.read(path, limit: Self.limit)
        let text = String(decoding: value, as: UTF8.self)
        guard text.contains("PRIVATE KEY-----") else { throw KeyAgentError.noKey(path: path) }
    }
}

/// Why an agent with keys cannot be had.
enum KeyAgentError: Error, CustomStringConvertible {
    case noKey(path: String)
    case noAgent(String)
    case refused(path: String, said: String)

    var description: String {
        switch self {
        case .noKey(let path): "\(path) holds no private ssh key"
        case .noAgent(let said):
            """
            cannot start ssh-agent and ssh-add for the keys of --ssh: \(said); they are in Debian's openssh-client, or \
            give --ssh the socket of an agent
            """
        case .refused(let path, let said):
            """
            ssh-add does not take the key \(path): \(said); one with a passphrase belongs into an agent of yours, whose \
            socket --ssh takes
            """
        }
    }
}
