import Glibc
import LayerDiff

/// A socket of this machine by its directory and its name: the kernel takes no path of more than 107 bytes for one.
struct UnixSocket: Sendable {
    private let directory: Directory
    private let name: String

    /// The socket at a path, whose directory must exist.
    init(path: String) throws(FileError) {
        let bytes = Array(path.utf8)
        let slash = bytes.lastIndex(of: UInt8(ascii: "/"))
        let place = slash.map { $0 == 0 ? "/" : String(decoding: bytes[..<$0], as: UTF8.self) } ?? "."
        directory = try Directory(path: place)
        name = String(decoding: bytes[(slash.map { $0 + 1 } ?? 0)...], as: UTF8.self)
    }

    /// A connection, without waiting when it is used; `nil` and errno where there is none to be had.
    func connect() -> OwnedDescriptor? {
        guard let socket = Self.make() else { return nil }
        let result = withAddress { Glibc.connect(socket.raw, $0, $1) }
        return result == 0 ? socket : nil
    }

    /// Listens at a socket made new; `nil` and errno where it cannot be made.
    func listen(backlog: CInt) -> OwnedDescriptor? {
        guard let socket = Self.make() else { return nil }
        guard withAddress({ bind(socket.raw, $0, $1) }) == 0, Glibc.listen(socket.raw, backlog) == 0 else { return nil }
        return socket
    }

    private static func make() -> OwnedDescriptor? {
        let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        let raw = socket(AF_UNIX, CInt(bitPattern: type), 0)
        return raw >= 0 ? OwnedDescriptor(owning: raw, path: "a socket") : nil
    }

    private func withAddress(_ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt) -> CInt {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let path = Array("/proc/self/fd/\(directory.rawDescriptor)/\(name)".utf8)
        guard path.count < MemoryLayout.size(ofValue: address.sun_path) else {
            errno = ENAMETOOLONG
            return -1
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        return withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                body(address, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
