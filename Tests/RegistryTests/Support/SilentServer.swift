import Glibc

/// A server that takes a connection over plain HTTP, begins an answer, and says no more.
final class SilentServer: Sendable {
    private let server: LoopbackServer
    var port: UInt16 { server.port }

    /// Kept connections stay open after the answer, which announces more than it holds.
    init() throws {
        server = try LoopbackServer(keepsConnections: true) { _ in "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n012" }
    }

    func stop() { server.stop() }
}
