import Exec
import Testing

@testable import Builder

@Suite struct LimitOptionTests {
    private static func limits(_ change: (inout LimitOptionTexts) -> Void) throws(MalformedOption) -> CgroupLimits {
        var texts = LimitOptionTexts()
        change(&texts)
        var options = SandboxOptions()
        try options.setLimits(texts)
        return options.limits
    }

    @Test(
        arguments: [
            ("1.5", 150_000), ("2", 200_000), (".25", 25_000), ("0.01", 1000), ("1.", 100_000), ("0.0109", 1000),
        ] as [(String, UInt64)]
    )
    func processorsAreAQuota(_ text: String, _ quota: UInt64) throws {
        let limits = try Self.limits { $0.cpus = text }
        #expect(limits.cpuQuota == quota)
        #expect(limits.cpuPeriod == 100_000)
    }

    @Test(arguments: ["", ".", "-1", "1e3", "0.001", "1,5", "99999999"])
    func whatIsNoNumberOfProcessorsIsRefused(_ text: String) {
        #expect(throws: MalformedOption.self) { try Self.limits { $0.cpus = text } }
    }

    @Test func noLimitIsWrittenInSeveralWays() throws {
        let limits = try Self.limits {
            $0.memory = "0"
            $0.memorySwap = "0"
            $0.cpus = "0"
            $0.cpuShares = "0"
            $0.cpuQuota = "-1"
            $0.pidsLimit = "-1"
            $0.cpusetCPUs = ""
        }
        #expect(limits == CgroupLimits())
    }

    @Test(
        arguments: [("-1", .unlimited), ("1g", .bytes(1 << 30)), ("1024m", .bytes(1 << 30))]
            as [(String, CgroupLimits.MemoryAndSwap)]
    )
    func swapIsPartOfASum(_ text: String, _ swap: CgroupLimits.MemoryAndSwap) throws {
        let limits = try Self.limits {
            $0.memory = "512m"
            $0.memorySwap = text
        }
        #expect(limits.memory == 512 << 20)
        #expect(limits.memoryAndSwap == swap)
    }

    @Test func limitsAreInNoKey() throws {
        var options = SandboxOptions()
        var texts = LimitOptionTexts()
        texts.memory = "1g"
        texts.pidsLimit = "100"
        texts.cgroupParent = "/builds"
        try options.setLimits(texts)
        #expect(options.keyFields(isInsecure: false).isEmpty)
    }
}
