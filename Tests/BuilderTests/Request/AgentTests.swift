import Exec
import Glibc
import LayerDiff
import Testing

@testable import Builder

@Suite struct AgentTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func path(_ name: String) -> String { "\(scratch.path)/\(name)" }

    /// An agent that answers every message with its own bytes, one client after the other.
    private final class Echo: Sendable {
        let socket: UnixSocket
        private let listener: OwnedDescriptor

        /// Listens; nobody is answered before the start.
        init(at path: String, backlog: CInt = 4) throws {
            let socket = try UnixSocket(path: path)
            let listener = try #require(socket.listen(backlog: backlog))
            (self.socket, self.listener) = (socket, listener)
        }

        func start() {
            let listener = listener
            #expect(fcntl(listener.raw, F_SETFL, 0) == 0)
            let code = startThread {
                while true {
                    let client = accept(listener.raw, nil, nil)
                    guard client >= 0 else { return }
                    var bytes = [UInt8](repeating: 0, count: 1 << 16)
                    while case let count = read(client, &bytes, bytes.count), count > 0 {
                        _ = Glibc.send(client, bytes, count, Int32(MSG_NOSIGNAL))
                    }
                    close(client)
                }
            }
            #expect(code == 0)
        }

        deinit { shutdown(listener.raw, Int32(SHUT_RDWR)) }
    }

    private func connect(to path: String) throws -> OwnedDescriptor {
        let connection = try #require(try UnixSocket(path: path).connect())
        #expect(fcntl(connection.raw, F_SETFL, 0) == 0)
        return connection
    }

    private func send(_ message: [UInt8], on connection: OwnedDescriptor) {
        // In two parts: a message is whole when its length says so.
        for part in [message.prefix(3), message.dropFirst(3)] {
            #expect(Glibc.send(connection.raw, Array(part), part.count, Int32(MSG_NOSIGNAL)) == part.count)
        }
    }

    private func receive(_ count: Int, on connection: OwnedDescriptor) -> [UInt8] {
        var answer: [UInt8] = []
        while answer.count < count {
            var bytes = [UInt8](repeating: 0, count: 1 << 16)
            let got = read(connection.raw, &bytes, bytes.count)
            guard got > 0 else { break }
            answer += bytes[..<got]
        }
        return answer
    }

    private func exchange(_ message: [UInt8], with path: String, expecting count: Int) throws -> [UInt8] {
        let connection = try connect(to: path)
        send(message, on: connection)
        return receive(count, on: connection)
    }

    @Test func passesOnWhatSigningNeedsAlone() throws {
        let echo = try Echo(at: path("agent"))
        echo.start()
        mkdir(path("relay"), 0o700)
        let access = AgentRelay.Access(uid: 12, gid: 34, mode: 0o640)
        let relay = try AgentRelay(to: echo.socket, in: path("relay"), access: access)
        defer { withExtendedLifetime((echo, relay)) {} }
        var status = stat()
        #expect(stat(relay.path, &status) == 0)
        #expect(status.st_uid == 12 && status.st_gid == 34 && status.st_mode == S_IFSOCK | 0o640)
        let list: [UInt8] = [0, 0, 0, 1, 11]
        let sign: [UInt8] = [0, 0, 0x80, 1, 13] + [UInt8](repeating: 7, count: 0x8000)
        #expect(try exchange(list, with: relay.path, expecting: 5) == list)
        #expect(try exchange(sign, with: relay.path, expecting: sign.count) == sign)
        // Adding, removing, locking, extensions.
        for type: UInt8 in [17, 18, 19, 22, 25, 27, 0, 255] {
            #expect(try exchange([0, 0, 0, 1, type], with: relay.path, expecting: 5) == [0, 0, 0, 1, 5])
        }
        // Too long, and empty: the connection ends.
        #expect(try exchange([0x7F, 0xFF, 0xFF, 0xFF, 11], with: relay.path, expecting: 5) == [])
        #expect(try exchange([0, 0, 0, 0, 11], with: relay.path, expecting: 5) == [])
    }

    @Test func anAgentWithoutRoomForOneMoreIsWaitedFor() throws {
        let echo = try Echo(at: path("agent"), backlog: 0)
        mkdir(path("relay"), 0o700)
        let access = AgentRelay.Access(uid: 0, gid: 0, mode: 0o600)
        let relay = try AgentRelay(to: echo.socket, in: path("relay"), access: access)
        defer { withExtendedLifetime((echo, relay)) {} }
        var others: [OwnedDescriptor] = []
        while let other = echo.socket.connect() { others.append(other) }
        #expect(errno == EAGAIN && !others.isEmpty)
        let list: [UInt8] = [0, 0, 0, 1, 11]
        let early = try connect(to: relay.path)
        send(list, on: early)
        // What is not passed on needs no agent. It comes after the list: when it is answered, that was tried.
        #expect(try exchange([0, 0, 0, 1, 17], with: relay.path, expecting: 5) == [0, 0, 0, 1, 5])
        others = []
        echo.start()
        #expect(receive(5, on: early) == list)
    }

    @Test func theOptionTakesAnAgentASocketOrKeys() throws {
        let echo = try Echo(at: path("agent"))
        defer { withExtendedLifetime(echo) {} }
        for name in ["one", "two"] { try scratch.write("key", to: name) }
        var request = BuildRequest()
        try request.addAgent("default", own: "/own", in: scratch.path)
        try request.addAgent("a=\(path("agent"))", own: nil, in: "/")
        try request.addAgent("b=one,two", own: nil, in: scratch.path)
        #expect(request.sshAgents == ["default": "/own", "a": path("agent")])
        #expect(request.sshKeys["b"]?.count == 2)
        for text in ["", "=x", "c=", "c=/missing", "c=\(path("agent")),\(path("one"))", "other"] {
            #expect(throws: MalformedOption.self, "\(text)") { try request.addAgent(text, own: nil, in: "/") }
        }
    }

    @Test(arguments: [
        (["printf", "a\\nb\\n\\n"], "a\nb"), (["sh", "-c", "echo $0 '*'", "x"], "x *"),
    ])
    func aCommandGivesASecret(words: [String], value: String) throws {
        let secret = Secret(id: "x", source: .command(words))
        #expect(try SecretValues.read([secret], Cancellation()) == ["x": Array(value.utf8)])
        var request = BuildRequest()
        request.secrets = [secret]
        try request.runSecretCommands(Cancellation())
        #expect(request.secrets == [Secret(id: "x", source: .value(Array(value.utf8)))])
    }

    @Test(arguments: [
        (["swbuild-no-such-program"], "no such program"), (["false"], "status 1"), (["true"], "wrote nothing"),
        (["sh", "-c", "echo geheimnis; echo the geheimnis is out >&2; exit 3"], "status 3"),
        (["sh", "-c", "echo locked >&2; exit 2"], "status 2: locked"), (["yes"], "500 KiB"),
    ])
    func aCommandThatGivesNone(words: [String], expected: String) {
        let error = #expect(throws: SecretCommandError.self) {
            try SecretCommand(id: "x", words: words).run(Cancellation())
        }
        #expect(error?.description.contains(expected) == true)
        #expect(error?.description.contains("geheimnis") == false)
    }
}
