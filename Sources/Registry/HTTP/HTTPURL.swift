/// Where a connection leads: what credentials are good for.
///
/// Source: RFC 6454, section 4.
struct HTTPOrigin: Sendable, Hashable {
    let isSecure: Bool
    /// In lower case, brackets of IPv6 addresses included.
    let host: String
    let port: UInt16

    /// The host, and the port where it is not the scheme's own.
    var authority: String { port == (isSecure ? 443 : 80) ? host : "\(host):\(port)" }

    /// Whether the host is this machine by its very name.
    var isLoopback: Bool {
        host == "localhost" || host == "[::1]" || host.hasSuffix(".localhost") || Self.isLoopbackAddress(host)
    }

    private static func isLoopbackAddress(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}

/// An `http://` or `https://` URL, and what a redirect makes of it.
///
/// Source: RFC 3986.
struct HTTPURL: Sendable, Hashable {
    let origin: HTTPOrigin
    /// User and password, `@` included; usually empty.
    private let userInfo: Substring
    /// Path and query, from the first slash on.
    let target: String

    /// `nil` for what is no such URL.
    init?(_ text: String) {
        guard let scheme = text.firstRange(of: "://") else { return nil }
        let name = text[..<scheme.lowerBound].lowercased()
        guard name == "http" || name == "https" else { return nil }
        // Of ASCII alone, as the RFC has it: what looks like one host here must not be another for libcurl.
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\\") }) else { return nil }
        let rest = text[scheme.upperBound...].prefix { $0 != "#" }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let host = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
        userInfo = authority[..<host.startIndex]
        guard let origin = Self.origin(of: host, isSecure: name == "https") else { return nil }
        self.origin = origin
        let path = rest[authority.endIndex...]
        target = path.hasPrefix("/") ? String(path) : "/" + path
    }

    private static func origin(of authority: Substring, isSecure: Bool) -> HTTPOrigin? {
        guard isHost(authority) else { return nil }
        let bracket = authority.lastIndex(of: "]") ?? authority.startIndex
        guard let colon = authority[bracket...].lastIndex(of: ":") else {
            guard !authority.isEmpty else { return nil }
            return HTTPOrigin(isSecure: isSecure, host: authority.lowercased(), port: isSecure ? 443 : 80)
        }
        let host = authority[..<colon].lowercased()
        guard let port = UInt16(authority[authority.index(after: colon)...]), !host.isEmpty else { return nil }
        return HTTPOrigin(isSecure: isSecure, host: host, port: port)
    }

    /// Letters, digits and what stands between them, or an IPv6 address in brackets; then maybe a port.
    private static func isHost(_ authority: Substring) -> Bool {
        let end = authority.hasPrefix("[") ? authority.firstIndex(of: "]") : authority.startIndex
        guard let end, authority.first != ":" else { return false }
        let rest = authority[end...].drop { $0 == "]" }
        return rest.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x3A, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
            default: false
            }
        }
    }

    /// The whole URL again.
    var text: String { "\(origin.isSecure ? "https" : "http")://\(userInfo)\(origin.authority)\(target)" }

    /// What a Location field means here; `nil` where it leads out of HTTP.
    ///
    /// libcurl takes dot segments out of what it is given.
    func resolving(_ location: String) -> HTTPURL? {
        let base = "\(origin.isSecure ? "https" : "http")://\(userInfo)\(origin.authority)"
        if location.hasPrefix("//") { return HTTPURL("\(origin.isSecure ? "https" : "http"):\(location)") }
        if location.hasPrefix("/") { return HTTPURL(base + location) }
        let head = location.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        if head.contains(":") { return HTTPURL(location) }
        let path = target.prefix { $0 != "?" }
        if location.hasPrefix("?") { return HTTPURL(base + path + location) }
        let directory = path[...(path.lastIndex(of: "/") ?? path.startIndex)]
        return HTTPURL(base + directory + location)
    }

    /// The URL with a further parameter in its query.
    func adding(_ name: String, _ value: String) -> HTTPURL {
        let separator = target.contains("?") ? (target.hasSuffix("?") || target.hasSuffix("&") ? "" : "&") : "?"
        return HTTPURL(text + "\(separator)\(name)=\(percentEncoded(value))") ?? self
    }
}

/// The text with all but unreserved characters (RFC 3986, section 2.3) written as `%20` and the like.
func percentEncoded(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var result: [UInt8] = []
    for byte in text.utf8 {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: result.append(byte)
        default: result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
    return String(decoding: result, as: UTF8.self)
}
