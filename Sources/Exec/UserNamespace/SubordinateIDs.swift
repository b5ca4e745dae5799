/// The ids that a user was lent, as `/etc/subuid` or `/etc/subgid` say (subuid(5)).
public enum SubordinateIDs {
    /// A run of ids that follow each other.
    public struct Range: Sendable, Hashable {
        /// The first id.
        public var first: UInt32
        /// How many there are.
        public var count: UInt32

        /// A run of `count` ids.
        public init(first: UInt32, count: UInt32) {
            self.first = first
            self.count = count
        }
    }

    /// The most runs that are taken: the kernel takes no more than 340 lines of a map (user_namespaces(7)).
    static let limit = 300

    /// The runs that the text of a file lends to a user, in the file's order; a line names the user by name or number.
    ///
    /// Lines that are not `OWNER:FIRST:COUNT` are passed over, as newuidmap passes over them.
    public static func ranges(in text: [UInt8], name: String?, id: UInt32) -> [Range] {
        let owners = [name, "\(id)"].compactMap { $0 }
        var ranges: [Range] = []
        for line in text.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
            guard fields.count == 3, owners.contains(fields[0]), let first = UInt32(fields[1]),
                let count = UInt32(fields[2]), count > 0, count <= UInt32.max - first
            else { continue }
            let range = Range(first: first, count: count)
            if !ranges.contains(range) { ranges.append(range) }
            if ranges.count == limit { break }
        }
        return ranges
    }

    /// A map in which the user is root, and the ids from 1 on are those that were lent.
    public static func map(own: UInt32, lent: [Range]) -> [IDMaps.Range] {
        var map = [IDMaps.Range(inside: 0, outside: own, count: 1)]
        var next: UInt32 = 1
        for range in lent {
            // Ids are 32 bits wide; nobody has that many, but a file may say so.
            let (end, isTooLarge) = next.addingReportingOverflow(range.count)
            guard !isTooLarge else { break }
            map.append(IDMaps.Range(inside: next, outside: range.first, count: range.count))
            next = end
        }
        return map
    }
}
