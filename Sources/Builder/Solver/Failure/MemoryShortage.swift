import OCI

/// Tells whether the kernel has ended a process for want of memory since the value was made.
///
/// The counts are those of the whole machine and of the cgroup that swbuild runs in: proc(5), `/proc/vmstat`, and the
/// kernel's "Control Group v2", `memory.events`.
struct MemoryShortage {
    // Looked for in the text only when somebody asks: each step has one of these.
    private let before = Self.figures()

    /// `nil` where the kernel does not tell.
    var happened: Bool? {
        guard let before = Self.count(in: before), let now = Self.count(in: Self.figures()) else { return nil }
        return now > before
    }

    private static func figures() -> [UInt8] { (try? HostFile.read("/proc/vmstat", limit: 1 << 20)) ?? [] }

    private static func count(in figures: [UInt8]) -> UInt64? {
        for line in figures.split(separator: UInt8(ascii: "\n")) {
            guard line.starts(with: "oom_kill ".utf8) else { continue }
            return UInt64(String(decoding: line.dropFirst("oom_kill ".utf8.count), as: UTF8.self))
        }
        return nil
    }
}
