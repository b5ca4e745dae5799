/// A moment in whole seconds since 1970-01-01T00:00:00Z, written as RFC 3339 in UTC.
public struct CreationTime: Sendable, Hashable, Comparable {
    /// Seconds since the epoch.
    public var seconds: Int64

    /// The moment so many seconds after the epoch.
    public init(seconds: Int64) { self.seconds = seconds }

    /// Earlier moments come first.
    public static func < (left: Self, right: Self) -> Bool { left.seconds < right.seconds }
}

extension CreationTime: CustomStringConvertible {
    /// `2009-02-13T23:31:30Z`.
    public var description: String {
        let days = floorDivide(seconds, 86400)
        let rest = (seconds % 86400 + 86400) % 86400
        let (year, month, day) = Self.civil(days: days)
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        var yearText = String(year)
        while yearText.utf8.count < 4 { yearText = "0" + yearText }
        return "\(yearText)-\(two(month))-\(two(day))T\(two(rest / 3600)):\(two(rest / 60 % 60)):\(two(rest % 60))Z"
    }

    /// Days since 1970-01-01 to a date of the Gregorian calendar, by 400-year eras that begin on 1 March.
    private static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}

private func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
    let quotient = value / divisor
    return value % divisor < 0 ? quotient - 1 : quotient
}
