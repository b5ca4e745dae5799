import BuildFileParser

/// The ports of an EXPOSE: `80`, `80/udp`, `8000-8010/tcp`, `8080:80`, where the port of the host does not count.
enum PortSpec {
    /// The ports that a word means, each as `PORT/PROTOCOL`.
    static func expand(_ text: String, at range: SourceRange) throws(Diagnostic) -> [String] {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let transport = parts.count > 1 ? parts[1].lowercased() : ""
        guard parts.count <= 2, ["", "tcp", "udp", "sctp"].contains(transport) else {
            throw Diagnostic(
                "`\(text)` has no protocol that EXPOSE knows",
                at: range,
                notes: ["expected PORT, PORT/tcp, PORT/udp or PORT/sctp"]
            )
        }
        let sides = parts[0].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let ranges = sides.map(portRange)
        guard let ports = ranges[ranges.count - 1], ranges.count == 1 || ranges[0] != nil || sides[0].isEmpty else {
            throw Diagnostic(
                "`\(text)` is no port or range of ports",
                at: range,
                notes: ["ports are numbers from 0 to 65535; a range is FIRST-LAST"]
            )
        }
        return ports.map { "\($0)/\(transport.isEmpty ? "tcp" : transport)" }
    }

    private static func portRange(_ text: Substring) -> ClosedRange<Int>? {
        let bounds = text.split(separator: "-", omittingEmptySubsequences: false)
            .map { $0.first == "+" ? nil : Int($0) }
        guard (1...2).contains(bounds.count), let first = bounds[0], let last = bounds[bounds.count - 1],
            first >= 0, first <= last, last <= 65535
        else { return nil }
        return first...last
    }
}
