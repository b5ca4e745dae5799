import Exec
import Glibc

/// `/etc/resolv.conf` of the machine, as a step with a network of its own can use it (resolv.conf(5)).
enum ResolverFile {
    /// Puts the helper's name server in the place of those that a step cannot reach: the first one's, once.
    ///
    /// The others are unreachable because they listen on the loopback interface (a cache or `systemd-resolved`), on a
    /// link, or on one of `unreachable`: the machine's own addresses, where not every helper leads. The helper's server
    /// passes all questions on to the first one of the machine.
    static func adapted(_ text: [UInt8], nameServer: String, unreachable: [String]) -> [UInt8] {
        var lines: [String] = []
        var hasServer = false
        var isReplaced = false
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false) {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            guard words.count >= 2, words[0] == "nameserver" else {
                lines.append(String(line))
                continue
            }
            hasServer = true
            if isReachable(String(words[1]), unreachable) {
                lines.append(String(line))
            } else if !isReplaced {
                isReplaced = true
                lines.append("nameserver \(nameServer)")
            }
        }
        // Without any, the resolver asks the loopback interface.
        if !hasServer {
            if lines.last?.isEmpty == true { lines.removeLast() }
            lines += ["nameserver \(nameServer)", ""]
        }
        return Array(lines.joined(separator: "\n").utf8)
    }

    private static func isReachable(_ address: String, _ unreachable: [String]) -> Bool {
        if let bytes = numbers(address, AF_INET, count: 4) {
            return bytes[0] != 127 && bytes != [0, 0, 0, 0]
                && !unreachable.contains { numbers($0, AF_INET, count: 4) == bytes }
        }
        // An address with a zone (fe80::1%eth0) is no number.
        guard let bytes = numbers(address, AF_INET6, count: 16) else { return false }
        let isLinkLocal = bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80
        let isLoopback = bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] <= 1
        let isMappedLoopback = bytes.prefix(12) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff] && bytes[12] == 127
        return !isLinkLocal && !isLoopback && !isMappedLoopback
            && !unreachable.contains { numbers($0, AF_INET6, count: 16) == bytes }
    }

    private static func numbers(_ address: String, _ family: Int32, count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return inet_pton(family, address, &bytes) == 1 ? bytes : nil
    }

    /// The machine's own addresses.
    static func ownAddresses() -> [String] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        var addresses: [String] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ifa_next
            guard let address = entry.ifa_addr else { continue }
            let family = Int32(address.pointee.sa_family)
            guard family == AF_INET || family == AF_INET6 else { continue }
            let size = family == AF_INET ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            guard getnameinfo(address, socklen_t(size), &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
            else { continue }
            addresses.append(String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
        }
        return addresses
    }
}
