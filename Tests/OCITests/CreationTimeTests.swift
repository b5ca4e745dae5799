import OCI
import Testing

@Suite struct CreationTimeTests {
    /// Computed with Python's datetime.
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (59, "1970-01-01T00:00:59Z"), (-1, "1969-12-31T23:59:59Z"),
            (68_212_800, "1972-02-29T12:00:00Z"), (951_868_799, "2000-02-29T23:59:59Z"),
            (951_868_800, "2000-03-01T00:00:00Z"), (1_234_567_890, "2009-02-13T23:31:30Z"),
            (1_704_067_199, "2023-12-31T23:59:59Z"), (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"), (253_402_300_799, "9999-12-31T23:59:59Z"),
            (-2_203_891_200, "1900-03-01T00:00:00Z"), (-62_135_596_800, "0001-01-01T00:00:00Z"),
        ] as [(Int64, String)]
    )
    func writesRFC3339(seconds: Int64, expected: String) {
        #expect(CreationTime(seconds: seconds).description == expected)
    }

    @Test func extremesDoNotTrap() {
        for seconds in [Int64.min, .max] { #expect(CreationTime(seconds: seconds).description.hasSuffix("Z")) }
    }

    @Test func everyDayOfFourHundredYearsFollowsTheOneBefore() throws {
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        var (year, month, day) = (1900, 1, 1)
        for index in 0..<146_097 {
            let text = CreationTime(seconds: -2_208_988_800 + Int64(index) * 86400).description
            let parts = text.prefix(10).split(separator: "-").compactMap { Int($0) }
            guard parts == [year, month, day] else {
                Issue.record("\(text) instead of \(year)-\(month)-\(day)")
                return
            }
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            day += 1
            if day > lengths[month - 1] + (month == 2 && isLeap ? 1 : 0) { (month, day) = (month + 1, 1) }
            if month > 12 { (year, month) = (year + 1, 1) }
        }
    }
}
