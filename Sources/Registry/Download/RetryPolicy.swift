/// How often and when a download that failed for a passing reason is tried again.
public struct RetryPolicy: Sendable, Hashable {
    /// The most failures in a row: a connection that brought something begins the count anew.
    public var maximumFailures: Int
    /// The most connections in all.
    public var maximumConnections: Int
    /// The wait after the first failure, which doubles from one to the next.
    public var firstWaitMilliseconds: Int64
    /// The longest wait, also of those that a server asks for: one that asks for more is not asked again.
    public var longestWaitMilliseconds: Int64

    /// A policy for networks as they are, unless told otherwise.
    public init(
        maximumFailures: Int = 4,
        maximumConnections: Int = 100,
        firstWaitMilliseconds: Int64 = 500,
        longestWaitMilliseconds: Int64 = 60_000
    ) {
        self.maximumFailures = maximumFailures
        self.maximumConnections = maximumConnections
        self.firstWaitMilliseconds = firstWaitMilliseconds
        self.longestWaitMilliseconds = longestWaitMilliseconds
    }

    /// How long to wait after so many failures in a row and a server's wish in seconds; `nil` to give up.
    func wait(failures: Int, retryAfter: Int64) -> Int64? {
        guard failures < maximumFailures else { return nil }
        let (asked, overflow) = retryAfter.multipliedReportingOverflow(by: 1000)
        guard !overflow, asked <= longestWaitMilliseconds else { return nil }
        let doublings = min(max(failures - 1, 0), 16)
        return max(asked, min(firstWaitMilliseconds << Int64(doublings), longestWaitMilliseconds))
    }
}
