/// What a download may cost before it's given up.
public struct DownloadLimits: Sendable, Hashable {
    /// The most bytes that a file may have.
    public var maximumSize: Int64
    /// The most redirects that are followed.
    public var maximumRedirects: UInt32
    /// The seconds that a connection may take to come about.
    public var connectSeconds: UInt32
    /// The speed below which a download counts as stalled.
    public var slowBytesPerSecond: UInt32
    /// The seconds for which a download may be stalled.
    public var slowSeconds: UInt32

    /// Limits that no honest server meets, unless told otherwise.
    public init(
        maximumSize: Int64 = 64 << 30,
        maximumRedirects: UInt32 = 10,
        connectSeconds: UInt32 = 30,
        slowBytesPerSecond: UInt32 = 64,
        slowSeconds: UInt32 = 30
    ) {
        self.maximumSize = maximumSize
        self.maximumRedirects = maximumRedirects
        self.connectSeconds = connectSeconds
        self.slowBytesPerSecond = slowBytesPerSecond
        self.slowSeconds = slowSeconds
    }
}
