import OCI

/// Tells whether the kernel has ended a process for want of memory since the value was made.
///
/// The counts are those of the whole machine and of the cgroup that swbuild runs in: proc(5), `/proc/vmstat`, and the
/// kernel's "Control Group v2", `memory.events`.
struct MemoryShortage {
    private let before = Self.count()

    /// `nil` where the kernel does not tell.
    var happened: Bool? {
        guard let before, let now = Self.count() else { return nil }
        return now > before
    }

    private static func count() -> UInt64? {
        guard let bytes = try? HostFile.read("/proc/vmstat", limit: 1 << 20) else { return nil }
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            guard line.starts(with: "oom_kill ".utf8) else { continue }
            return UInt64(String(decoding: line.dropFirst("oom_kill ".utf8.count), as: UTF8.self))
        }
        return nil
    }
}
