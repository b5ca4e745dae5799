import Glibc

/// A line of `/etc/hosts`.
public struct HostEntry: Sendable, Hashable {
    /// The host's name.
    public let name: String
    /// An IPv4 or IPv6 address.
    public let address: String

    /// Parses `NAME:ADDRESS` or `NAME=ADDRESS`; an IPv6 address may stand in brackets.
    /// - Throws: ``MalformedOption``.
    public init(parsing text: String) throws(MalformedOption) {
        func failure(_ expected: String) -> MalformedOption {
            MalformedOption(option: "--add-host", value: text, expected: expected)
        }
        // An address has colons of its own, but no equals sign.
        let separator: Character = text.contains("=") ? "=" : ":"
        let pair = text.split(separator: separator, maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard pair.count == 2 else { throw failure("NAME:ADDRESS or NAME=ADDRESS") }
        guard Self.isName(pair[0]) else { throw failure("a name of letters, digits, `-`, `_` and `.` first") }
        if pair[1] == "host-gateway" {
            throw failure(
                "an address: a step has no gateway to the host here; --network=host shares the host's network"
            )
        }
        var address = pair[1]
        if address.hasPrefix("["), address.hasSuffix("]") { address = String(address.dropFirst().dropLast()) }
        guard Self.isAddress(address) else { throw failure("an IPv4 or IPv6 address after the name") }
        name = pair[0]
        self.address = address
    }

    private static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 253
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }

    private static func isAddress(_ text: String) -> Bool {
        var four = in_addr()
        var six = in6_addr()
        return inet_pton(AF_INET, text, &four) == 1 || inet_pton(AF_INET6, text, &six) == 1
    }
}

extension HostEntry: CustomStringConvertible {
    /// `NAME=ADDRESS`.
    public var description: String { "\(name)=\(address)" }

    /// The line, with its end.
    var line: String { "\(address)\t\(name)\n" }
}
