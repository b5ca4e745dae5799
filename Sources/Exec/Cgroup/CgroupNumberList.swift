/// A list of processors or memory nodes in the kernel's form: `0-3,8` (cpuset(7), "List format").
public struct CgroupNumberList: Sendable, Hashable {
    /// Ascending, without overlaps.
    private let ranges: [ClosedRange<Int>]

    /// No machine has more; longer lists are mistakes.
    private static let largest = 1 << 20

    /// Reads a list; `nil` where the text is none, or an empty one.
    public init?(parsing text: String) {
        guard let ranges = Self.ranges(text), !ranges.isEmpty else { return nil }
        self.ranges = ranges
    }

    /// Reads what the kernel says, which may be an empty list.
    init?(kernel text: String) {
        let list = text.split(whereSeparator: \.isWhitespace).joined()
        guard let ranges = list.isEmpty ? [] : Self.ranges(list) else { return nil }
        self.ranges = ranges
    }

    private static func ranges(_ text: String) -> [ClosedRange<Int>]? {
        var found: [ClosedRange<Int>] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false)
            guard (1...2).contains(ends.count), let low = number(ends[0]), let high = number(ends[ends.count - 1]),
                low <= high
            else { return nil }
            found.append(low...high)
        }
        var merged: [ClosedRange<Int>] = []
        for range in found.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, range.lowerBound <= last.upperBound + 1 {
                merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        return merged
    }

    private static func number(_ text: Substring) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = Int(text), number <= largest
        else { return nil }
        return number
    }

    /// Whether each number of the other list is in this one.
    func contains(_ other: CgroupNumberList) -> Bool {
        other.ranges.allSatisfy { range in
            ranges.contains { $0.lowerBound <= range.lowerBound && range.upperBound <= $0.upperBound }
        }
    }
}

extension CgroupNumberList: CustomStringConvertible {
    /// The list in the kernel's form.
    public var description: String {
        ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",")
    }
}
