import Exec
import OCI

/// A system call filter in the form of runtime-spec, config-linux.md, "Seccomp".
struct SeccompDocument {
    let rules: SeccompRules

    private static var native: String {
        switch Platform.host.architecture {
        case "amd64": "x86_64"
        case "arm64": "aarch64"
        default: Platform.host.architecture
        }
    }

    /// The document.
    /// - Throws: ``RuntimeLimit`` where a value is too large for one.
    func json() throws(RuntimeLimit) -> JSONValue {
        var architectures = [Self.native]
        for name in rules.architectures where !architectures.contains(name) { architectures.append(name) }
        var members = Self.action(rules.defaultAction, errorMember: "defaultErrnoRet")
        members["defaultAction"] = members.removeValue(forKey: "action")
        members["architectures"] = .strings(architectures.map { "SCMP_ARCH_\($0.uppercased())" })
        var entries: [JSONValue] = []
        for rule in rules.rules { entries.append(try Self.entry(rule)) }
        members["syscalls"] = .array(entries)
        return .object(members)
    }

    private static func entry(_ rule: SeccompRules.Rule) throws(RuntimeLimit) -> JSONValue {
        var members = action(rule.action, errorMember: "errnoRet")
        members["names"] = .strings(rule.names)
        var comparisons: [JSONValue] = []
        for comparison in rule.comparisons { comparisons.append(try argument(comparison, rule)) }
        if !comparisons.isEmpty { members["args"] = .array(comparisons) }
        return .object(members)
    }

    private static func argument(
        _ comparison: SeccompRules.Comparison,
        _ rule: SeccompRules.Rule
    ) throws(RuntimeLimit) -> JSONValue {
        guard let value = Int64(exactly: comparison.value), let second = Int64(exactly: comparison.second) else {
            throw RuntimeLimit(what: "a comparison with a number above 2^63 (\(rule.place))")
        }
        return .object([
            "index": .integer(Int64(comparison.argument)), "op": .string(comparison.comparison.rawValue),
            "value": .integer(value), "valueTwo": .integer(second),
        ])
    }

    /// The name of what seccomp(2) returns, and its data where that means something.
    private static func action(_ action: SeccompRules.Action, errorMember: String) -> [String: JSONValue] {
        let data = JSONValue.integer(Int64(action.rawValue & 0xffff))
        switch action.rawValue & 0xffff_0000 {
        case 0x7fff_0000: return ["action": .string("SCMP_ACT_ALLOW")]
        case 0x7ffc_0000: return ["action": .string("SCMP_ACT_LOG")]
        case 0x7ff0_0000: return ["action": .string("SCMP_ACT_TRACE"), errorMember: data]
        case 0x0005_0000: return ["action": .string("SCMP_ACT_ERRNO"), errorMember: data]
        case 0x0003_0000: return ["action": .string("SCMP_ACT_TRAP")]
        case 0x8000_0000: return ["action": .string("SCMP_ACT_KILL_PROCESS")]
        default: return ["action": .string("SCMP_ACT_KILL_THREAD")]
        }
    }
}
