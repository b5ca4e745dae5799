import CShims
import Glibc
import OCI

/// A program that keeps credentials: `docker-credential-NAME`.
///
/// Source: the protocol of docker-credential-helpers: a verb as the argument, a server or a document on standard input,
/// a document or a message on standard output.
struct CredentialHelper {
    private static let seconds = 60
    private static let largestOutput = 64 << 10

    let name: String
    let environment: [String: String]

    var program: String { "docker-credential-\(name)" }

    /// The credentials for a server; `nil` where it has none.
    func get(_ server: String) throws(CredentialError) -> RegistryCredentials? {
        let result = try run("get", input: server)
        guard result.status == 0 else {
            // The one message that all helpers have in common.
            let message = String(decoding: result.output, as: UTF8.self).lowercased()
            if message.contains("credentials not found") { return nil }
            throw failure("get", result)
        }
        guard let json = try? JSONValue(parsing: result.output, as: program), let secret = json["Secret"]?.string else {
            throw CredentialError(place: program, problem: "what it answered for \(server) is not understood")
        }
        let user = json["Username"]?.string ?? ""
        if user == "<token>" { return RegistryCredentials(user: "", password: "", identityToken: secret) }
        return user.isEmpty && secret.isEmpty ? nil : RegistryCredentials(user: user, password: secret)
    }

    /// Hands credentials over.
    func store(_ credentials: RegistryCredentials, for server: String) throws(CredentialError) {
        let members: [String: String] = [
            "ServerURL": server,
            "Username": credentials.identityToken == nil ? credentials.user : "<token>",
            "Secret": credentials.identityToken ?? credentials.password,
        ]
        guard let document = try? JSONValue.strings(members).encoded() else {
            throw CredentialError(place: program, problem: "the credentials are no text")
        }
        let result = try run("store", input: String(decoding: document, as: UTF8.self))
        guard result.status == 0 else { throw failure("store", result) }
    }

    /// Has the credentials for a server forgotten.
    func erase(_ server: String) throws(CredentialError) {
        let result = try run("erase", input: server)
        guard result.status == 0 else { throw failure("erase", result) }
    }

    private func failure(_ verb: String, _ result: Result) -> CredentialError {
        // A failed helper's output is a message; a successful one's is a secret, and never shown.
        let message = RegistrySaying.shown(String(decoding: result.output, as: UTF8.self))
        let said = verb == "get" && !message.isEmpty ? " (\(message))" : ""
        return CredentialError(place: program, problem: "`\(verb)` failed with status \(result.status)\(said)")
    }

    // MARK: running

    private struct Result {
        var status: CInt
        var output: [UInt8]
    }

    private func run(_ verb: String, input: String) throws(CredentialError) -> Result {
        guard !name.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 < 0x21 }) else {
            throw CredentialError(
                place: RegistrySaying.shown(program),
                problem: "this is no name of a credential helper"
            )
        }
        var ends: [CInt] = [-1, -1]
        let standardInput = swb_memory_file("credentials")
        defer { for descriptor in ends + [standardInput] where descriptor >= 0 { close(descriptor) } }
        let pipeFailure = swb_pipe(&ends)
        guard standardInput >= 0, pipeFailure == 0 else {
            throw systemFailure("start it", standardInput < 0 ? -standardInput : pipeFailure)
        }
        let bytes = Array(input.utf8)
        guard write(standardInput, bytes, bytes.count) == bytes.count, lseek(standardInput, 0, SEEK_SET) == 0 else {
            throw systemFailure("start it", errno)
        }
        let process = try start(verb, input: standardInput, output: ends[1])
        close(ends[1])
        ends[1] = -1
        let deadline = ContinuousClock.now + .seconds(Self.seconds)
        let output = read(ends[0], until: deadline)
        var isLate = output == nil
        var status: CInt = 0
        while true {
            if isLate { kill(process, SIGKILL) }
            let ended = waitpid(process, &status, isLate ? 0 : WNOHANG)
            if ended == process || ended < 0 && errno != EINTR { break }
            // It has nothing more to say: that it ends, too, takes no time, or is not going to happen.
            usleep(2000)
            isLate = ContinuousClock.now >= deadline
        }
        guard let output, !isLate else {
            throw CredentialError(
                place: program,
                problem: "it took longer than \(Self.seconds) seconds, or said too much"
            )
        }
        let signal = status & 0x7f
        return Result(status: signal == 0 ? (status >> 8) & 0xff : 128 + signal, output: output)
    }

    private func systemFailure(_ what: String, _ code: CInt) -> CredentialError {
        let hint = code == ENOENT ? "; install it, or take it out of the file that names it" : ""
        return CredentialError(place: program, problem: "cannot \(what): \(errorText(code))\(hint)")
    }

    /// All that it writes; `nil` where it takes too long, or it is too much.
    private func read(_ descriptor: CInt, until deadline: ContinuousClock.Instant) -> [UInt8]? {
        var result: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while ContinuousClock.now < deadline {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 1000) > 0 else { continue }
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return result }
            if count < 0 {
                if errno == EINTR { continue }
                return nil
            }
            result += chunk[..<count]
            guard result.count <= Self.largestOutput else { return nil }
        }
        return nil
    }

    /// Where the program is, by the PATH that it is to see itself.
    private var path: String? {
        let directories = (environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
        return directories.map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
    }

    private func start(_ verb: String, input: CInt, output: CInt) throws(CredentialError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // This program blocks and ignores signals that others expect to end them.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigaddset(&signals, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let variables = environment.keys.sorted().map { "\($0)=\(environment[$0] ?? "")" }
        guard let path else { throw systemFailure("start it", ENOENT) }
        let texts: [String] = [program, verb]
        let words = texts.map { word in strdup(word) } + [nil]
        let settings = variables.map { variable in strdup(variable) } + [nil]
        defer { for pointer in words + settings { free(pointer) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, path, &actions, &attributes, words, settings)
        guard code == 0 else { throw systemFailure("start it", code) }
        return process
    }
}
