import Glibc

/// A value that is written to a file of a step's cgroup.
struct CgroupSetting: Sendable, Hashable {
    let limit: CgroupLimits.Name
    let file: String
    let value: String
    /// Whether a kernel without the file does without the limit: nobody has asked for it by name.
    var isOptional = false
}

extension CgroupLimits {
    /// The step's own process 1, which belongs to swbuild: it must not take the place of one of the step's.
    private static let ownProcesses: UInt64 = 1

    /// The values for a controller of cgroup version 2, in order (the kernel's `admin-guide/cgroup-v2.rst`).
    func unifiedSettings(of controller: CgroupController) -> [CgroupSetting] {
        switch controller {
        case .memory: return unifiedMemory
        case .cpu:
            var settings: [CgroupSetting] = []
            if cpuQuota != nil || cpuPeriod != nil {
                let quota = cpuQuota.map { "\($0)" } ?? "max"
                let value = "\(quota) \(cpuPeriod ?? Self.defaultPeriod)"
                settings.append(CgroupSetting(limit: .cpuTime, file: "cpu.max", value: value))
            }
            if let cpuShares {
                let value = "\(Self.weight(ofShares: cpuShares))"
                settings.append(CgroupSetting(limit: .cpuShares, file: "cpu.weight", value: value))
            }
            return settings
        case .cpuset, .pids: return commonSettings(of: controller)
        case .cpuacct: return []
        }
    }

    /// The values for a controller of cgroup version 1, in order (the kernel's `admin-guide/cgroup-v1/`).
    func legacySettings(of controller: CgroupController) -> [CgroupSetting] {
        switch controller {
        case .memory: return legacyMemory
        case .cpu:
            var settings: [CgroupSetting] = []
            // The quota is measured against the period that is there when it is written.
            if let cpuPeriod {
                settings.append(CgroupSetting(limit: .cpuTime, file: "cpu.cfs_period_us", value: "\(cpuPeriod)"))
            }
            if let cpuQuota {
                settings.append(CgroupSetting(limit: .cpuTime, file: "cpu.cfs_quota_us", value: "\(cpuQuota)"))
            }
            if let cpuShares {
                settings.append(CgroupSetting(limit: .cpuShares, file: "cpu.shares", value: "\(cpuShares)"))
            }
            return settings
        case .cpuset, .pids: return commonSettings(of: controller)
        case .cpuacct: return []
        }
    }

    /// What both versions call by one name.
    private func commonSettings(of controller: CgroupController) -> [CgroupSetting] {
        var settings: [CgroupSetting] = []
        if controller == .cpuset {
            // Memory nodes first: a cgroup without any takes no process.
            if let memoryNodes {
                settings.append(
                    CgroupSetting(limit: .memoryNodes, file: "cpuset.mems", value: memoryNodes.description)
                )
            }
            if let cpus {
                settings.append(CgroupSetting(limit: .cpus, file: "cpuset.cpus", value: cpus.description))
            }
        } else if controller == .pids, let processes {
            let (value, overflow) = processes.addingReportingOverflow(Self.ownProcesses)
            settings.append(
                CgroupSetting(limit: .processes, file: "pids.max", value: overflow ? "max" : "\(value)")
            )
        }
        return settings
    }

    private var unifiedMemory: [CgroupSetting] {
        guard let memory else { return [] }
        var settings = [CgroupSetting(limit: .memory, file: "memory.max", value: "\(memory)")]
        // Version 2 limits swap by itself.
        switch memoryAndSwap {
        case nil:
            let value = "\(memory)"
            settings.append(CgroupSetting(limit: .swap, file: "memory.swap.max", value: value, isOptional: true))
        case .unlimited: settings.append(CgroupSetting(limit: .swap, file: "memory.swap.max", value: "max"))
        case .bytes(let total):
            let value = "\(total > memory ? total - memory : 0)"
            settings.append(CgroupSetting(limit: .swap, file: "memory.swap.max", value: value))
        }
        return settings
    }

    private var legacyMemory: [CgroupSetting] {
        guard let memory else { return [] }
        // In this order: at no time may the limit on memory be above that on memory and swap.
        var settings = [CgroupSetting(limit: .memory, file: "memory.limit_in_bytes", value: "\(memory)")]
        let file = "memory.memsw.limit_in_bytes"
        switch memoryAndSwap {
        case nil:
            let (double, overflow) = memory.multipliedReportingOverflow(by: 2)
            let value = overflow ? "-1" : "\(double)"
            settings.append(CgroupSetting(limit: .swap, file: file, value: value, isOptional: true))
        case .unlimited: settings.append(CgroupSetting(limit: .swap, file: file, value: "-1"))
        case .bytes(let total): settings.append(CgroupSetting(limit: .swap, file: file, value: "\(total)"))
        }
        return settings
    }

    private static let defaultPeriod: UInt64 = 100_000

    /// The weight of version 2 for the shares of version 1.
    ///
    /// The curve goes through (2, 1), (1024, 100) and (262144, 10000), so that the defaults and the ends of both stand
    /// for each other; it is the one that crun and runc have used since 2025.
    static func weight(ofShares shares: UInt64) -> UInt64 {
        let exponent = log2(Double(min(max(shares, 2), 262_144)))
        let weight = pow(10, (exponent * exponent + 125 * exponent) / 612 - 7.0 / 34)
        // Rounded up, but not for the error of the arithmetic.
        return UInt64(min(max((weight - 1e-6).rounded(.up), 1), 10_000))
    }
}
