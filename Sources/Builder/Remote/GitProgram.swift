import Exec
import Glibc
import OCI

/// The program git, told where a repository is and kept from everything else.
///
/// No configuration of the user or the system, no hooks, no helpers, no questions. All of its settings go through the
/// environment, where no other user can see them, unlike arguments.
struct GitProgram: Sendable {
    var reference: GitReference
    var access: GitAccess
    var cancellation: Cancellation

    /// Runs git on the repository at `directory`; gives its standard output.
    /// - Throws: ``GitError`` where it fails; `what` says what it was to do.
    @discardableResult
    func run(
        _ arguments: [String],
        in directory: String,
        to file: CInt? = nil,
        what: String,
        mayGoOn: @escaping () -> Bool = { true }
    ) throws(GitError) -> [UInt8] {
        let limits = ChildProcess.Limits()
        let process = ChildProcess(
            arguments: ["git", "--git-dir=\(directory)"] + arguments,
            environment: environment,
            outputFile: file,
            limits: limits,
            cancellation: cancellation,
            mayGoOn: mayGoOn
        )
        let result: ChildProcess.Result
        do throws(ChildProcess.Failure) {
            result = try process.run()
        } catch {
            switch error {
            case .cannotStart(let errno): throw errno == ENOENT ? .missingProgram : .cannotStart(errno: errno)
            case .cancelled: throw .cancelled
            case .timedOut: throw .timedOut(what: what, url: reference.shown, seconds: limits.seconds)
            case .tooMuchOutput: throw .tooLarge(url: reference.shown, limit: Int64(limits.output))
            case .stopped: throw .tooLarge(url: reference.shown, limit: GitLimits.repositoryBytes)
            }
        }
        guard result.status == 0 else {
            throw .failed(what: what, url: reference.shown, message: Self.message(result))
        }
        return result.output
    }

    private static func message(_ result: ChildProcess.Result) -> String {
        GitMessage.oneLine(of: result.errors) ?? "git ended with status \(result.status)"
    }

    // MARK: The environment

    private var environment: [String] {
        var result = [
            "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0",
            "GIT_NO_REPLACE_OBJECTS=1", "GIT_ATTR_NOSYSTEM=1", "HOME=/nonexistent", "LC_ALL=C", "TZ=UTC",
            "GIT_ALLOW_PROTOCOL=\(transports.map(\.rawValue).joined(separator: ":"))",
            // Never a question: what is not in the user's own files or agent is refused.
            "GIT_SSH_COMMAND=\(Self.variable("GIT_SSH_COMMAND") ?? access.sshCommand)",
        ]
        let inherited = [
            "PATH", "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
        ]
        for name in inherited {
            if let value = Self.variable(name) { result.append("\(name)=\(value)") }
        }
        if let agent = access.sshAgent ?? Self.variable("SSH_AUTH_SOCK") { result.append("SSH_AUTH_SOCK=\(agent)") }
        if let file = Self.variable("SSL_CERT_FILE") ?? Self.variable("CURL_CA_BUNDLE") {
            result.append("GIT_SSL_CAINFO=\(file)")
        }
        if let directory = Self.variable("SSL_CERT_DIR") { result.append("GIT_SSL_CAPATH=\(directory)") }
        let settings = settings
        result.append("GIT_CONFIG_COUNT=\(settings.count)")
        for (index, setting) in settings.enumerated() {
            result.append("GIT_CONFIG_KEY_\(index)=\(setting.key)")
            result.append("GIT_CONFIG_VALUE_\(index)=\(setting.value)")
        }
        return result
    }

    /// The ways that git may take, redirects included: none leads from an encrypted one to another, or to files.
    private var transports: [GitReference.Transport] {
        reference.transport == .http ? [.http, .https] : [reference.transport]
    }

    private var settings: [(key: String, value: String)] {
        var result = [
            ("remote.origin.url", reference.remote),
            ("core.hooksPath", "/dev/null"), ("core.fsmonitor", "false"), ("core.attributesFile", "/dev/null"),
            ("core.excludesFile", "/dev/null"), ("core.askPass", ""), ("core.autocrlf", "false"),
            ("credential.helper", ""), ("init.defaultBranch", "main"), ("gc.auto", "0"), ("maintenance.auto", "false"),
            ("fetch.recurseSubmodules", "false"), ("submodule.recurse", "false"), ("log.showSignature", "false"),
            // Objects come as packs, which appear whole or not at all.
            ("fetch.unpackLimit", "1"), ("pack.threads", "1"),
            // Modes 0644 and 0755, whatever the umask is.
            ("tar.umask", "0022"),
            ("http.lowSpeedLimit", "64"), ("http.lowSpeedTime", "60"), ("protocol.version", "2"),
        ]
        if let authorization = access.authorization(for: reference) {
            result.append(("http.\(reference.transport)://\(reference.host)/.extraHeader", authorization))
        }
        return result
    }

    /// A variable of this program's own environment; an empty one is as good as none.
    private static func variable(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }
}

/// What opens repositories: secrets and an agent.
struct GitAccess: Sendable {
    /// The values of the build's secrets by id.
    var secrets: [String: [UInt8]] = [:]
    /// The path of an agent's socket; `nil` for the user's own.
    var sshAgent: String?
    /// Who calls swbuild, where that is root of a user namespace here.
    var caller: Credentials?

    /// How git calls ssh, which takes names, keys and known hosts from the home of the user that it runs as, whatever the
    /// environment says: so it runs as the caller, in a namespace of its own.
    var sshCommand: String {
        let ssh = "ssh -o BatchMode=yes"
        return caller.map { "unshare --user --map-user=\($0.uid) --map-group=\($0.gid) \(ssh)" } ?? ssh
    }

    /// The host that secrets without a host's name are for: that of the repository that the build names.
    var host = ""

    /// The field of an HTTP request that opens the repository; `nil` where nothing is known of it.
    ///
    /// Source: Docker's documentation of build secrets, "Git authentication for remote contexts": GIT_AUTH_HEADER and
    /// GIT_AUTH_TOKEN, with a host's name behind a dot for that host alone.
    func authorization(for reference: GitReference) -> String? {
        guard reference.transport == .https || reference.transport == .http else { return nil }
        if let credentials = reference.credentials {
            return "Authorization: Basic \(Base64.encoded(credentials.utf8))"
        }
        let name = String(reference.host.prefix { $0 != ":" })
        for suffix in [".\(reference.host)", ".\(name)"] + (reference.host == host ? [""] : []) {
            if let header = value("GIT_AUTH_HEADER\(suffix)") { return "Authorization: \(header)" }
            if let token = value("GIT_AUTH_TOKEN\(suffix)") {
                return "Authorization: Basic \(Base64.encoded("x-access-token:\(token)".utf8))"
            }
        }
        return nil
    }

    /// A secret's text, without the newline that files end with; one that would break out of its line is none.
    private func value(_ id: String) -> String? {
        guard let bytes = secrets[id] else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        let line = String(text.reversed().drop { $0.isNewline }.reversed())
        return line.isEmpty || line.utf8.contains { $0 < 0x20 } ? nil : line
    }
}

/// What a repository may cost.
enum GitLimits {
    /// The most bytes that the store keeps of one remote.
    static let repositoryBytes: Int64 = 32 << 30
    /// The most packs of one remote: beyond, it is fetched anew.
    static let packs = 50
    static let submodules = 500
    static let submoduleDepth = 10
}
