import Glibc
import Synchronization

/// An HTTP server on loopback that answers each request with what a function of its path and headers returns.
///
/// It speaks as much HTTP/1.1 as the tests need: one request per connection, and answers as raw bytes, so that a test
/// can answer wrongly too.
final class LoopbackServer: Sendable {
    struct Request: Sendable {
        let path: String
        let headers: [String]
    }

    let port: UInt16
    private let listener: CInt
    private let requested = Mutex<[Request]>([])

    /// The requests so far.
    var requests: [Request] { requested.withLock { $0 } }

    init(answer: @escaping @Sendable (Request) -> String) throws {
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

    private func serve(_ answer: (Request) -> String) {
        while true {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else { break }
            if let request = Self.read(from: connection) {
                requested.withLock { $0.append(request) }
                Self.send(answer(request), to: connection)
            }
            shutdown(connection, CInt(SHUT_WR))
            close(connection)
        }
        close(listener)
    }

    private static func read(from connection: CInt) -> Request? {
        var head: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !head.ends(with: "\r\n\r\n".utf8) {
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            head += buffer[..<count]
        }
        let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n").map(String.init)
        guard let words = lines.first?.split(separator: " "), words.count == 3 else { return nil }
        return Request(path: String(words[1]), headers: Array(lines.dropFirst()))
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

extension Array where Element: Equatable {
    fileprivate func ends(with suffix: some Collection<Element>) -> Bool {
        count >= suffix.count && self[(count - suffix.count)...].elementsEqual(suffix)
    }
}

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
