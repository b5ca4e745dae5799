import OCI

/// Collects lines of a long result, so that each does not cost a system call.
struct LineOutput {
    private static let limit = 64 << 10

    private var waiting: [UInt8] = []

    /// Adds a line without its end.
    mutating func add(_ line: [UInt8]) throws {
        waiting += line
        waiting.append(0x0A)
        if waiting.count >= Self.limit { try flush() }
    }

    /// Writes what is left.
    mutating func flush() throws {
        try Console.print(bytes: waiting)
        waiting.removeAll(keepingCapacity: true)
    }
}
