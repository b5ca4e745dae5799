import Exec
import Glibc
import SystemPackage

/// Another program, run to its end with its output captured.
///
/// It has a process group of its own, which is killed when the build is cancelled or a limit is met.
struct ChildProcess {
    /// What a program may cost.
    struct Limits: Sendable, Hashable {
        var seconds = 1800
        var output = 256 << 20
    }

    /// How a program ended.
    struct Result {
        /// The exit status; 128 and the signal's number where one ended it.
        var status: CInt
        var output: [UInt8]
        /// The last of what it wrote to standard error.
        var errors: [UInt8]
    }

    /// Why a program was not run to its end.
    enum Failure: Error {
        case cannotStart(errno: CInt)
        case cancelled
        case timedOut
        case tooMuchOutput
        /// What watched it said so.
        case stopped
    }

    var arguments: [String]
    var environment: [String]
    /// Where standard input comes from; `nil` for nothing.
    var inputFile: CInt?
    /// Where standard output goes; `nil` to capture it.
    var outputFile: CInt?
    var limits = Limits()
    var cancellation: Cancellation
    /// Asked about once a second whether to go on.
    var mayGoOn: () -> Bool = { true }

    private static let keptErrors = 64 << 10

    /// Runs the program, which is looked for in PATH; blocks until it has ended.
    func run() throws(Failure) -> Result {
        let output = outputFile == nil ? try Pipe() : nil
        let errors = try Pipe()
        let process = try start(output: output?.write ?? outputFile ?? -1, errors: errors.write)
        output?.closeWrite()
        errors.closeWrite()
        var result = Result(status: 0, output: [], errors: [])
        do throws(Failure) {
            result.status = try follow(process, output, errors, &result)
        } catch {
            kill(-process, SIGKILL)
            kill(process, SIGKILL)
            Self.reap(process)
            throw error
        }
        // Helpers that outlive their program do not outlive its end.
        kill(-process, SIGKILL)
        return result
    }

    // MARK: Following

    private func follow(
        _ process: pid_t,
        _ output: Pipe?,
        _ errors: Pipe,
        _ result: inout Result
    ) throws(Failure) -> CInt {
        let begin = Clock.now()
        var nextLook = begin + 1
        var open = [output, errors].compactMap { $0 }
        var status: CInt?
        while status == nil || !open.isEmpty {
            var waiting = open.map { pollfd(fd: $0.read, events: Int16(POLLIN), revents: 0) }
            // With the pipes closed there is only the end to wait for.
            poll(&waiting, nfds_t(waiting.count), open.isEmpty ? 5 : 100)
            var stillOpen: [Pipe] = []
            for (pipe, state) in zip(open, waiting) {
                guard state.revents != 0 else {
                    // A helper may hold the pipe after its program has ended.
                    if status == nil { stillOpen.append(pipe) }
                    continue
                }
                if try take(from: pipe, isErrors: pipe === errors, &result) { stillOpen.append(pipe) }
            }
            open = stillOpen
            if status == nil { status = Self.status(ofEnded: process) }
            if cancellation.isCancelled { throw .cancelled }
            let now = Clock.now()
            if now > begin + Double(limits.seconds) { throw .timedOut }
            if now > nextLook {
                nextLook = now + 1
                guard mayGoOn() else { throw .stopped }
            }
        }
        return status ?? 0
    }

    private func take(from pipe: Pipe, isErrors: Bool, _ result: inout Result) throws(Failure) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        let count = read(pipe.read, &chunk, chunk.count)
        if count < 0, errno == EINTR { return true }
        guard count > 0 else { return false }
        if isErrors {
            result.errors += chunk[..<count]
            if result.errors.count > 2 * Self.keptErrors {
                result.errors.removeFirst(result.errors.count - Self.keptErrors)
            }
        } else {
            guard result.output.count + count <= limits.output else { throw .tooMuchOutput }
            result.output += chunk[..<count]
        }
        return true
    }

    private static func status(ofEnded process: pid_t) -> CInt? {
        var status: CInt = 0
        guard waitpid(process, &status, WNOHANG) == process else { return nil }
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal
    }

    private static func reap(_ process: pid_t) {
        var status: CInt = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
    }

    // MARK: Starting

    private func start(output: CInt, errors: CInt) throws(Failure) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let inputFile {
            posix_spawn_file_actions_adddup2(&actions, inputFile, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, errors, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // This program blocks and ignores signals that others expect to end them.
        var blocked = sigset_t()
        sigemptyset(&blocked)
        posix_spawnattr_setsigmask(&attributes, &blocked)
        var defaults = sigset_t()
        sigemptyset(&defaults)
        sigaddset(&defaults, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)
        )
        var process: pid_t = 0
        let code = withPointers(arguments) { arguments in
            withPointers(environment) { environment in
                guard let name = arguments.first ?? nil else { return EINVAL }
                return posix_spawnp(&process, name, &actions, &attributes, arguments, environment)
            }
        }
        guard code == 0 else { throw .cannotStart(errno: code) }
        return process
    }

    private func withPointers(
        _ texts: [String],
        _ body: ([UnsafeMutablePointer<CChar>?]) -> CInt
    ) -> CInt {
        let pointers = texts.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        return body(pointers + [nil])
    }
}

/// A pipe that closes itself and that no other program inherits.
private final class Pipe {
    let read: CInt
    let write: CInt
    private var isWriteOpen = true

    init() throws(ChildProcess.Failure) {
        do throws(Errno) {
            (read, write) = try Descriptors.pipe()
        } catch {
            throw .cannotStart(errno: error.rawValue)
        }
    }

    deinit {
        closeWrite()
        close(read)
    }

    func closeWrite() {
        if isWriteOpen { close(write) }
        isWriteOpen = false
    }
}
