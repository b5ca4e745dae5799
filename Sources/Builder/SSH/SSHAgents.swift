import Exec
import Store
import Synchronization

/// The agents that RUN --mount=type=ssh can ask for.
final class SSHAgents: Sendable {
    private let sockets: [String: String]
    private let keys: [String: [SSHKey]]
    private let started = Mutex<[String: KeyAgent]>([:])

    /// The agents of a request; its keys are read now.
    init(_ request: BuildRequest) throws {
        sockets = request.sshAgents
        keys = try request.sshKeys.mapValues { try $0.map { try SSHKey(path: $0) } }
    }

    /// The private keys, which are to stay out of the image.
    var keyValues: [(id: String, value: [UInt8])] {
        keys.keys.sorted().flatMap { id in (keys[id] ?? []).map { (id, $0.value) } }
    }

    /// The socket of an agent, which is started where it has keys of this build; `nil` where there is none.
    func socket(of id: String, work: WorkDirectory, _ cancellation: Cancellation) throws -> UnixSocket? {
        if let path = sockets[id] { return try UnixSocket(path: path) }
        guard let keys = keys[id] else { return nil }
        return try started.withLock { started in
            if let agent = started[id] { return agent.socket }
            let directory = try work.makeDirectory("ssh-agent", mode: 0o700)
            let agent = try KeyAgent(keys: keys, in: directory, cancellation)
            started[id] = agent
            return agent.socket
        }
    }
}
