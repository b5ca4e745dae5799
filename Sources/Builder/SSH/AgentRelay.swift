import Dispatch
import Glibc
import LayerDiff
import OCI

/// A socket of a step's own, behind which is an agent of the caller's, as long as the value lives.
///
/// The step sees a socket with the owner and mode that it asked for, and never the caller's.
final class AgentRelay: Sendable {
    /// Who may use the socket.
    struct Access: Sendable {
        var uid: UInt32
        var gid: UInt32
        var mode: UInt32
    }

    /// The socket's path.
    let path: String
    private let stop: OwnedDescriptor
    private let ended: DispatchSemaphore

    /// As many clients as may be at it at once; others wait.
    private static let mostClients = 32
    /// After how many milliseconds an agent without room for one more is tried again.
    private static let pause: CInt = 10

    /// Begins to listen, at a socket in `directory`, a new one of the caller's alone.
    init(to agent: UnixSocket, in directory: String, access: Access) throws {
        path = "\(directory)/agent"
        guard let listener = try UnixSocket(path: path).listen(backlog: CInt(Self.mostClients)) else {
            throw HostFileError("listen at", path, code: errno)
        }
        guard chown(path, access.uid, access.gid) == 0, chmod(path, mode_t(access.mode & 0o777)) == 0 else {
            throw HostFileError("set the attributes of", path, code: errno)
        }
        var ends: [CInt] = [-1, -1]
        guard socketpair(AF_UNIX, CInt(bitPattern: SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw HostFileError("make a socket for", path, code: errno)
        }
        stop = OwnedDescriptor(owning: ends[0], path: path)
        let stopped = OwnedDescriptor(owning: ends[1], path: path)
        let ended = DispatchSemaphore(value: 0)
        self.ended = ended
        let code = startThread {
            Self.serve(listener, agent, until: stopped)
            ended.signal()
        }
        guard code == 0 else {
            ended.signal()
            throw ThreadError(code: code)
        }
    }

    deinit {
        shutdown(stop.raw, CInt(SHUT_RDWR))
        ended.wait()
    }

    private static func serve(_ listener: OwnedDescriptor, _ agent: UnixSocket, until stopped: OwnedDescriptor) {
        var conversations: [AgentConversation] = []
        while true {
            let isFull = conversations.count >= mostClients
            var waiting = [
                pollfd(fd: stopped.raw, events: Int16(POLLIN), revents: 0),
                pollfd(fd: listener.raw, events: isFull ? 0 : Int16(POLLIN), revents: 0),
            ]
            waiting += conversations.map(\.waiting)
            let patience = conversations.contains(where: \.triesAgain) ? pause : -1
            guard poll(&waiting, nfds_t(waiting.count), patience) >= 0 || errno == EINTR else { return }
            if waiting[0].revents != 0 { return }
            var going: [AgentConversation] = []
            for (conversation, state) in zip(conversations, waiting.dropFirst(2)) {
                var conversation = conversation
                let isReady = state.revents != 0 || conversation.triesAgain
                if !isReady || conversation.goOn() { going.append(conversation) }
            }
            conversations = going
            if waiting[1].revents & Int16(POLLIN) != 0, let next = accept(listener, agent) {
                conversations.append(next)
            }
        }
    }

    private static func accept(_ listener: OwnedDescriptor, _ agent: UnixSocket) -> AgentConversation? {
        let raw = Glibc.accept(listener.raw, nil, nil)
        guard raw >= 0 else { return nil }
        let client = OwnedDescriptor(owning: raw, path: "a client of an agent")
        guard fcntl(raw, F_SETFD, FD_CLOEXEC) == 0, fcntl(raw, F_SETFL, O_NONBLOCK) == 0 else { return nil }
        return AgentConversation(client: client, agent: agent)
    }
}
