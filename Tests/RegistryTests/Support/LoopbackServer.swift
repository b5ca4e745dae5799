import Glibc
import Synchronization

/// An HTTP server on loopback that answers each request with what a function of its path and headers returns.
///
/// It speaks as much HTTP/1.1 as the tests need, and answers as raw bytes, so that a test can answer wrongly too. Unless
/// told otherwise, a connection is good for one request.
final class LoopbackServer: Sendable {
    struct Request: Sendable {
        let method: String
        let path: String
        let headers: [String]
        let body: [UInt8]
    }

    let port: UInt16
    private let listener: CInt
    private let keepsConnections: Bool
    private let requested = Mutex<[Request]>([])
    private let accepted = Atomic(0)

    /// The requests so far.
    var requests: [Request] { requested.withLock { $0 } }

    /// The connections so far that brought a request.
    var connections: Int { accepted.load(ordering: .relaxed) }

    init(keepsConnections: Bool = false, answer: @escaping @Sendable (Request) -> String) throws {
        self.keepsConnections = keepsConnections
        listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, length) == 0 && listen(listener, 16) == 0
                    && getsockname(listener, address, &length) == 0
            }
        }
        guard isListening else { throw ServerError(errno: errno) }
        port = UInt16(bigEndian: address.sin_port)
        try startThread { [self] in serve(answer) }
    }

    /// Ends the server; a connection that is open is answered still.
    func stop() {
        shutdown(listener, CInt(SHUT_RDWR))
    }

    func url(_ path: String) -> String { "http://127.0.0.1:\(port)\(path)" }

    private func serve(_ answer: @escaping @Sendable (Request) -> String) {
        while true {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else { break }
            if keepsConnections {
                try? startThread { [self] in talk(connection, answer) }
            } else {
                talk(connection, answer)
            }
        }
        close(listener)
    }

    private func talk(_ connection: CInt, _ answer: (Request) -> String) {
        var isFirst = true
        while let request = Self.read(from: connection) {
            if isFirst { accepted.add(1, ordering: .relaxed) }
            isFirst = false
            requested.withLock { $0.append(request) }
            Self.send(keepsConnections ? answer(request) : Self.closing(answer(request)), to: connection)
            guard keepsConnections else { break }
        }
        shutdown(connection, CInt(SHUT_WR))
        close(connection)
    }

    /// The answer with a word that the connection ends: else the next request could meet its end.
    private static func closing(_ answer: String) -> String {
        guard answer.hasPrefix("HTTP/1.1 "), let end = answer.firstRange(of: "\r\n") else { return answer }
        return answer[..<end.upperBound] + "Connection: close\r\n" + answer[end.upperBound...]
    }

    /// `nil` at the end of a connection, and for what is no HTTP: the first message of TLS, say.
    private static func read(from connection: CInt) -> Request? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        var end: Int?
        while end == nil {
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            bytes += buffer[..<count]
            guard bytes[0] >= UInt8(ascii: "A") else { return nil }
            end = bytes.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound
        }
        let lines = String(decoding: bytes[..<(end ?? 0)], as: UTF8.self).split(separator: "\r\n").map(String.init)
        guard let words = lines.first?.split(separator: " "), words.count == 3 else { return nil }
        let length = lines.first { $0.lowercased().hasPrefix("content-length: ") }.flatMap { Int($0.dropFirst(16)) }
        var body = Array(bytes[(end ?? 0)...])
        while body.count < length ?? 0 {
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            body += buffer[..<count]
        }
        return Request(
            method: String(words[0]),
            path: String(words[1]),
            headers: Array(lines.dropFirst()),
            body: body
        )
    }

    private static func send(_ text: String, to connection: CInt) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(connection, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}

struct ServerError: Error { let errno: CInt }

private final class Work: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

private func startThread(_ body: @escaping @Sendable () -> Void) throws {
    var thread = pthread_t()
    let work = Unmanaged.passRetained(Work(body))
    let error = pthread_create(
        &thread,
        nil,
        { argument in
            if let argument { Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body() }
            return nil
        },
        work.toOpaque()
    )
    guard error == 0 else {
        work.release()
        throw ServerError(errno: error)
    }
    pthread_detach(thread)
}
