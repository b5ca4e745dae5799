/// What the cgroups of a step tell of it; what they do not tell is `nil`.
public struct CgroupFigures: Sendable, Hashable {
    /// The most memory that the step held at once, in bytes: of all its processes, with its files in the page cache.
    public var peakMemory: UInt64?
    /// The time its processes computed, in microseconds.
    public var userTime: UInt64?
    /// The time the kernel computed for them, in microseconds.
    public var systemTime: UInt64?
    /// How many processes the kernel ended for want of memory.
    public var outOfMemoryKills: UInt64?
    /// How often the step came to its limit on memory.
    public var memoryLimitHits: UInt64?
    /// How often a process or thread was refused.
    public var refusedProcesses: UInt64?

    /// None yet.
    public init() {}

    /// Adds what the files of a cgroup say.
    mutating func add(isUnified: Bool, _ read: (String) -> String?) {
        if isUnified { addUnified(read) } else { addLegacy(read) }
        if let events = read("pids.events") { refusedProcesses = Self.member("max", of: events) ?? refusedProcesses }
    }

    /// The kernel's `admin-guide/cgroup-v2.rst`.
    private mutating func addUnified(_ read: (String) -> String?) {
        peakMemory = read("memory.peak").flatMap(Self.number) ?? peakMemory
        if let events = read("memory.events") {
            outOfMemoryKills = Self.member("oom_kill", of: events)
            memoryLimitHits = Self.member("max", of: events)
        }
        if let times = read("cpu.stat") {
            userTime = Self.member("user_usec", of: times) ?? userTime
            systemTime = Self.member("system_usec", of: times) ?? systemTime
        }
    }

    /// The kernel's `admin-guide/cgroup-v1/`, `memory.rst` and `cpuacct.rst`.
    private mutating func addLegacy(_ read: (String) -> String?) {
        peakMemory = read("memory.max_usage_in_bytes").flatMap(Self.number) ?? peakMemory
        if let state = read("memory.oom_control") { outOfMemoryKills = Self.member("oom_kill", of: state) }
        let hits = ["memory.failcnt", "memory.memsw.failcnt"].compactMap { read($0).flatMap(Self.number) }
        if !hits.isEmpty { memoryLimitHits = hits.reduce(0, &+) }
        // In nanoseconds.
        if let time = read("cpuacct.usage_user").flatMap(Self.number) { userTime = time / 1000 }
        if let time = read("cpuacct.usage_sys").flatMap(Self.number) { systemTime = time / 1000 }
    }

    private static func number(_ text: String) -> UInt64? {
        UInt64(text.split(whereSeparator: \.isWhitespace).first ?? "")
    }

    /// The number behind a name, in lines of both.
    private static func member(_ name: String, of text: String) -> UInt64? {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == name { return UInt64(words[1]) }
        }
        return nil
    }
}
