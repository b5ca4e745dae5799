import Exec

/// The values of the options that limit what steps use, as they were given.
public struct LimitOptionTexts: Sendable {
    /// `--memory`.
    public var memory: String?
    /// `--memory-swap`.
    public var memorySwap: String?
    /// `--cpus`.
    public var cpus: String?
    /// `--cpu-shares`.
    public var cpuShares: String?
    /// `--cpu-period`.
    public var cpuPeriod: String?
    /// `--cpu-quota`.
    public var cpuQuota: String?
    /// `--cpuset-cpus`.
    public var cpusetCPUs: String?
    /// `--cpuset-mems`.
    public var cpusetMems: String?
    /// `--pids-limit`.
    public var pidsLimit: String?
    /// `--cgroup-parent`.
    public var cgroupParent: String?

    /// None.
    public init() {}
}

extension SandboxOptions {
    /// Takes the values of the options that limit what steps use: their names and forms are Docker's.
    /// - Throws: ``MalformedOption``.
    public mutating func setLimits(_ texts: LimitOptionTexts) throws(MalformedOption) {
        limits = CgroupLimits()
        try setMemory(texts)
        try setProcessorTime(texts)
        limits.cpuShares = try LimitNumber.shares.parse(texts.cpuShares)
        limits.cpus = try Self.list(texts.cpusetCPUs, option: "--cpuset-cpus")
        limits.memoryNodes = try Self.list(texts.cpusetMems, option: "--cpuset-mems")
        limits.processes = try LimitNumber.processes.parse(texts.pidsLimit)
        if let text = texts.cgroupParent {
            guard let path = CgroupPath(parsing: text) else {
                let expected =
                    "a path below the root of the cgroup hierarchies (/builds) or swbuild's own cgroup (builds)"
                throw MalformedOption(option: "--cgroup-parent", value: text, expected: expected)
            }
            cgroupParent = path
        }
    }

    /// What a step needs at least: it is Docker's limit, too.
    private static let leastMemory: UInt64 = 6 << 20

    private mutating func setMemory(_ texts: LimitOptionTexts) throws(MalformedOption) {
        if let text = texts.memory {
            guard let size = ByteSize.parse(text), size == 0 || size >= Self.leastMemory, size <= UInt64(Int64.max)
            else {
                let expected = "a size of at least 6m, such as 512m or 2g, or 0 for no limit"
                throw MalformedOption(option: "--memory", value: text, expected: expected)
            }
            limits.memory = size == 0 ? nil : size
        }
        guard let text = texts.memorySwap, text != "0" else { return }
        func failure(_ expected: String) -> MalformedOption {
            MalformedOption(option: "--memory-swap", value: text, expected: expected)
        }
        guard let memory = limits.memory else { throw failure("--memory beside it") }
        if text == "-1" {
            limits.memoryAndSwap = .unlimited
            return
        }
        guard let size = ByteSize.parse(text), size <= UInt64(Int64.max) else {
            throw failure("a size such as 2g, or -1 for as much swap as there is")
        }
        guard size >= memory else {
            throw failure("at least as much as --memory, since it is memory and swap together")
        }
        limits.memoryAndSwap = .bytes(size)
    }

    private mutating func setProcessorTime(_ texts: LimitOptionTexts) throws(MalformedOption) {
        limits.cpuPeriod = try LimitNumber.period.parse(texts.cpuPeriod)
        limits.cpuQuota = try LimitNumber.quota.parse(texts.cpuQuota)
        guard let text = texts.cpus else { return }
        guard limits.cpuPeriod == nil, limits.cpuQuota == nil else {
            throw MalformedOption(option: "--cpus", value: text, expected: "no --cpu-period or --cpu-quota beside it")
        }
        guard let thousandths = Self.thousandths(text), thousandths == 0 || thousandths >= 10 else {
            throw MalformedOption(option: "--cpus", value: text, expected: "a number from 0.01 on, such as 1.5")
        }
        guard thousandths > 0 else { return }
        limits.cpuPeriod = 100_000
        limits.cpuQuota = thousandths * 100
    }

    /// A decimal number of processors; further digits are dropped.
    private static func thousandths(_ text: String) -> UInt64? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.contains(where: { !$0.isEmpty }),
            parts.allSatisfy({ $0.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } })
        else { return nil }
        let whole = parts[0].isEmpty ? 0 : UInt64(parts[0])
        let digits = parts.count == 2 ? String(parts[1].prefix(3)) : ""
        let fraction = UInt64(digits + String(repeating: "0", count: 3 - digits.count))
        guard let whole, let fraction, whole <= 1 << 20 else { return nil }
        return whole * 1000 + fraction
    }

    private static func list(_ text: String?, option: String) throws(MalformedOption) -> CgroupNumberList? {
        guard let text, !text.isEmpty else { return nil }
        guard let list = CgroupNumberList(parsing: text) else {
            throw MalformedOption(option: option, value: text, expected: "numbers and ranges, such as 0-3,8")
        }
        return list
    }
}

/// A limit that is a whole number, in the range that the kernel takes.
private struct LimitNumber {
    let option: String
    let range: ClosedRange<UInt64>
    let expected: String

    static let shares = LimitNumber(
        option: "--cpu-shares",
        range: 2...262_144,
        expected: "a number from 2 to 262144, or 0 for the default"
    )
    static let period = LimitNumber(
        option: "--cpu-period",
        range: 1000...1_000_000,
        expected: "microseconds from 1000 to 1000000, or 0 for the default"
    )
    static let quota = LimitNumber(
        option: "--cpu-quota",
        range: 1000...UInt64(UInt32.max),
        expected: "microseconds from 1000 on, or -1 for no limit"
    )
    static let processes = LimitNumber(
        option: "--pids-limit",
        range: 1...(1 << 22),
        expected: "a number from 1 on, or -1 for no limit"
    )

    /// The number; `nil` where there is none, or it stands for no limit.
    func parse(_ text: String?) throws(MalformedOption) -> UInt64? {
        guard let text, text != "0", text != "-1" else { return nil }
        guard text.utf8.first != UInt8(ascii: "+"), let number = UInt64(text), range.contains(number) else {
            throw MalformedOption(option: option, value: text, expected: expected)
        }
        return number
    }
}
