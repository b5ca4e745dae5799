import Glibc
import LayerDiff

/// A client of an agent, and the agent: requests go one way, answers the other, one at a time.
///
/// Only what signing needs is passed on: a step is not to add, remove or lock the keys of whoever builds.
///
/// Source: draft-miller-ssh-agent, sections 3 "Protocol Overview" and 5.1 "Message numbers".
struct AgentConversation {
    private let client: OwnedDescriptor
    private let socket: UnixSocket
    /// The connection to the agent, made for the first message that it is to have.
    private var agent: OwnedDescriptor?
    private var phase = Phase.request
    /// The message that is being read or written, with its length.
    private var message: [UInt8] = []
    private var written = 0

    private enum Phase {
        /// From the client, then to the agent; from the agent, then to the client.
        case request, connect, forward, reply, answer
    }

    /// The longest message that OpenSSH's agent takes.
    private static let longestMessage = 256 << 10
    private static let passedOn: [UInt8] = [requestIdentities, signRequest]
    private static let requestIdentities: UInt8 = 11
    private static let signRequest: UInt8 = 13
    private static let failure: [UInt8] = [0, 0, 0, 1, 5]

    init(client: OwnedDescriptor, agent: UnixSocket) {
        self.client = client
        socket = agent
    }

    /// What it waits for; where the agent has too many others at its door, for the client to go alone.
    var waiting: pollfd {
        switch phase {
        case .request: pollfd(fd: client.raw, events: Int16(POLLIN), revents: 0)
        case .connect: pollfd(fd: client.raw, events: 0, revents: 0)
        case .forward: pollfd(fd: agent?.raw ?? -1, events: Int16(POLLOUT), revents: 0)
        case .reply: pollfd(fd: agent?.raw ?? -1, events: Int16(POLLIN), revents: 0)
        case .answer: pollfd(fd: client.raw, events: Int16(POLLOUT), revents: 0)
        }
    }

    /// Whether it is to go on after a moment, without an event.
    var triesAgain: Bool { phase == .connect }

    /// Goes on after what it waited for has come: whether there is more to wait for.
    mutating func goOn() -> Bool {
        switch phase {
        case .request:
            guard let isComplete = read(from: client) else { return false }
            guard isComplete else { return true }
            if Self.passedOn.contains(message[4]) { return connect() }
            message = Self.failure
            begin(.answer)
        case .connect: return !isClientGone && connect()
        case .forward:
            guard let agent, let isDone = write(to: agent) else { return false }
            if isDone { expect(.reply) }
        case .reply:
            guard let agent, let isComplete = read(from: agent) else { return false }
            if isComplete { begin(.answer) }
        case .answer:
            guard let isDone = write(to: client) else { return false }
            if isDone { expect(.request) }
        }
        return true
    }

    private var isClientGone: Bool {
        var state = pollfd(fd: client.raw, events: 0, revents: 0)
        return poll(&state, 1, 0) > 0 && state.revents & Int16(POLLHUP) != 0
    }

    /// Connects to the agent unless it is; `false` where there is none.
    ///
    /// An agent accepts one client after the other. While it is busy and enough of them wait, there is no room for one
    /// more, and nothing that tells when there is.
    private mutating func connect() -> Bool {
        if agent == nil {
            agent = socket.connect()
            guard agent != nil || errno == EAGAIN || errno == EINTR else { return false }
        }
        begin(agent == nil ? .connect : .forward)
        return true
    }

    private mutating func begin(_ next: Phase) {
        phase = next
        written = 0
    }

    private mutating func expect(_ next: Phase) {
        phase = next
        message = []
    }

    /// Reads what is there of a message, and no more: whether it is complete; `nil` where there is none to come.
    private mutating func read(from source: OwnedDescriptor) -> Bool? {
        let missing = (length ?? 4) - message.count
        var piece = [UInt8](repeating: 0, count: missing)
        let count = Glibc.recv(source.raw, &piece, missing, 0)
        if count < 0 { return errno == EINTR || errno == EAGAIN ? false : nil }
        guard count > 0 else { return nil }
        message += piece[..<count]
        guard message.count >= 4 else { return false }
        guard let length, length > 4, length <= Self.longestMessage else { return nil }
        return message.count == length
    }

    /// The message's length with the four bytes that say it.
    private var length: Int? {
        message.count < 4 ? nil : message[..<4].reduce(0) { $0 << 8 | Int($1) } + 4
    }

    /// Writes what there is room for: whether that was the last; `nil` where nobody takes it.
    private mutating func write(to target: OwnedDescriptor) -> Bool? {
        let count = message[written...].withUnsafeBytes {
            Glibc.send(target.raw, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
        }
        if count < 0 { return errno == EINTR || errno == EAGAIN ? false : nil }
        written += count
        return written == message.count
    }
}
