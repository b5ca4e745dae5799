import Exec
import Glibc
import LayerDiff
import Testing

@testable import Builder

@Suite struct AgentTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func path(_ name: String) -> String { "\(scratch.path)/\(name)" }

    /// An agent that answers every message with its own bytes.
    private final class Echo: Sendable {
        let socket: UnixSocket
        private let listener: OwnedDescriptor

        init(at path: String) throws {
            let socket = try UnixSocket(path: path)
            let listener = try #require(socket.listen(backlog: 4))
            (self.socket, self.listener) = (socket, listener)
            let raw = listener.raw
            #expect(fcntl(raw, F_SETFL, 0) == 0)
            let code = startThread {
                while true {
                    let client = accept(raw, nil, nil)
                    guard client >= 0 else { return }
                    var bytes = [UInt8](repeating: 0, count: 1 << 16)
                    while case let count = read(client, &bytes, bytes.count), count > 0 {
                        _ = send(client, bytes, count, Int32(MSG_NOSIGNAL))
                    }
                    close(client)
                }
            }
            #expect(code == 0)
        }

        deinit { shutdown(listener.raw, Int32(SHUT_RDWR)) }
    }

    private func exchange(_ message: [UInt8], with path: String, expecting count: Int) throws -> [UInt8] {
        let connection = try #require(try UnixSocket(path: path).connect())
        #expect(fcntl(connection.raw, F_SETFL, 0) == 0)
        // In two parts: a message is whole when its length says so.
        for part in [message.prefix(3), message.dropFirst(3)] {
            #expect(send(connection.raw, Array(part), part.count, Int32(MSG_NOSIGNAL)) == part.count)
        }
        var answer: [UInt8] = []
        while answer.count < count {
            var bytes = [UInt8](repeating: 0, count: 1 << 16)
            let got = read(connection.raw, &bytes, bytes.count)
            guard got > 0 else { break }
            answer += bytes[..<got]
        }
        return answer
    }

    @Test func passesOnWhatSigningNeedsAlone() throws {
        let echo = try Echo(at: path("agent"))
        mkdir(path("relay"), 0o700)
        let access = AgentRelay.Access(uid: 12, gid: 34, mode: 0o640)
        let relay = try AgentRelay(to: echo.socket, in: path("relay"), access: access)
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
