extension CapabilitySet {
    /// The capabilities of this process (proc(5), `CapPrm` of status); none where procfs does not tell.
    public static var held: CapabilitySet {
        let lines = (SmallFile.read("/proc/self/status") ?? []).split(separator: UInt8(ascii: "\n"))
        for line in lines where line.starts(with: "CapPrm:".utf8) {
            let digits = String(decoding: line.dropFirst("CapPrm:".utf8.count + 1), as: UTF8.self)
            return CapabilitySet(rawValue: UInt64(digits, radix: 16) ?? 0)
        }
        return []
    }
}
