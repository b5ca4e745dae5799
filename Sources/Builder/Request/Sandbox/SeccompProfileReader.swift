import Exec
import OCI

/// Makes a profile of its JSON document, and says of what it cannot use where that stands.
struct SeccompProfileReader {
    let file: String

    typealias Profile = (
        defaultAction: SeccompRules.Action, architectures: [String], entries: [SeccompProfileFile.Entry]
    )

    /// What no profile that is meant for people comes near.
    private static let ruleLimit = 4096
    private static let nameLimit = 1 << 16

    func read(_ document: JSONValue) throws(SeccompProfileError) -> Profile {
        let members = try object(
            document,
            "the profile",
            known: ["defaultAction", "defaultErrnoRet", "architectures", "archMap", "syscalls", "$schema", "comment"]
        )
        guard let defaultValue = members["defaultAction"] else { throw failure("defaultAction", "is missing") }
        let code = try errorNumber(members["defaultErrnoRet"], "defaultErrnoRet")
        let defaultAction = try action(defaultValue, code, "defaultAction")
        guard members["architectures"] == nil || members["archMap"] == nil else {
            throw failure("archMap", "stands beside `architectures`: give one of them")
        }
        let rules = try list(members["syscalls"], "syscalls")
        guard rules.count <= Self.ruleLimit else {
            throw failure("syscalls", "has \(rules.count) rules, more than the limit of \(Self.ruleLimit)")
        }
        var entries: [SeccompProfileFile.Entry] = []
        var names = 0
        for (index, rule) in rules.enumerated() {
            let entry = try self.entry(rule, "syscalls[\(index)]")
            names += entry.rule.names.count
            guard names <= Self.nameLimit else {
                throw failure("syscalls[\(index)]", "the profile names more than \(Self.nameLimit) calls")
            }
            entries.append(entry)
        }
        return (defaultAction, try architectures(members), entries)
    }

    private func architectures(_ members: [String: JSONValue]) throws(SeccompProfileError) -> [String] {
        var names = try strings(members["architectures"], "architectures")
        for (index, item) in try list(members["archMap"], "archMap").enumerated() {
            let place = "archMap[\(index)]"
            let map = try object(item, place, known: ["architecture", "subArchitectures"])
            guard let main = map["architecture"]?.string else { throw failure(place, "has no `architecture`") }
            guard Self.libraryName(main) == Self.nativeName else { continue }
            names += try strings(map["subArchitectures"], "\(place).subArchitectures")
        }
        return names.map(Self.libraryName).filter { $0 != Self.nativeName }
    }

    /// Libseccomp's name for `SCMP_ARCH_X86_64`: `x86_64`.
    private static func libraryName(_ name: String) -> String {
        name.hasPrefix("SCMP_ARCH_") ? name.dropFirst("SCMP_ARCH_".count).lowercased() : name
    }

    private static var nativeName: String { Platform.host.architecture == "arm64" ? "aarch64" : "x86_64" }
}

// MARK: Rules

extension SeccompProfileReader {
    private func entry(_ value: JSONValue, _ place: String) throws(SeccompProfileError) -> SeccompProfileFile.Entry {
        let members = try object(
            value,
            place,
            known: ["name", "names", "action", "errnoRet", "args", "comment", "includes", "excludes"]
        )
        var names = try strings(members["names"], "\(place).names")
        if let single = members["name"], single != .null {
            guard let name = single.string, names.isEmpty else {
                throw failure("\(place).name", "must be a text, and not beside `names`")
            }
            if !name.isEmpty { names = [name] }
        }
        guard !names.isEmpty else { throw failure(place, "names no system call") }
        guard let given = members["action"] else { throw failure("\(place).action", "is missing") }
        let code = try errorNumber(members["errnoRet"], "\(place).errnoRet")
        var comparisons: [SeccompRules.Comparison] = []
        for (index, argument) in try list(members["args"], "\(place).args").enumerated() {
            comparisons.append(try comparison(argument, "\(place).args[\(index)]"))
        }
        let rule = SeccompRules.Rule(
            names: names,
            action: try action(given, code, "\(place).action"),
            comparisons: comparisons,
            place: "\(file): \(place)"
        )
        return SeccompProfileFile.Entry(
            rule: rule,
            includes: try condition(members["includes"], "\(place).includes"),
            excludes: try condition(members["excludes"], "\(place).excludes")
        )
    }

    private func comparison(
        _ value: JSONValue,
        _ place: String
    ) throws(SeccompProfileError) -> SeccompRules.Comparison {
        let members = try object(value, place, known: ["index", "value", "valueTwo", "op"])
        guard let index = members["index"]?.integer, (0...5).contains(index) else {
            throw failure("\(place).index", "must be a number from 0 to 5")
        }
        let name = members["op"]?.string ?? ""
        guard let comparison = SeccompRules.Comparison.Operator(rawValue: name) else {
            let known = SeccompRules.Comparison.Operator.allCases.map(\.rawValue)
            throw failure(
                "\(place).op",
                "`\(name)` is none: expected \(SandboxOptions.expected("comparison", name, among: known))"
            )
        }
        return SeccompRules.Comparison(
            argument: UInt32(index),
            comparison: comparison,
            value: try number(members["value"], "\(place).value"),
            second: try number(members["valueTwo"], "\(place).valueTwo")
        )
    }

    private func condition(
        _ value: JSONValue?,
        _ place: String
    ) throws(SeccompProfileError) -> SeccompProfileFile.Condition {
        var condition = SeccompProfileFile.Condition()
        guard let value, value != .null else { return condition }
        let members = try object(value, place, known: ["caps", "arches", "minKernel"])
        for name in try strings(members["caps"], "\(place).caps") {
            guard let capability = CapabilitySet(name: name) else {
                let expected = SandboxOptions.expected("capability", name, among: CapabilitySet.names)
                throw failure("\(place).caps", "`\(name)` is none: expected \(expected)")
            }
            condition.capabilities.append(capability)
        }
        condition.architectures = try strings(members["arches"], "\(place).arches")
        if let kernel = members["minKernel"], kernel != .null {
            guard let version = kernel.string.flatMap(KernelVersion.init(release:)) else {
                throw failure("\(place).minKernel", "must be a version such as \"4.8\"")
            }
            condition.kernel = version
        }
        return condition
    }

    private func action(
        _ value: JSONValue,
        _ code: UInt16,
        _ place: String
    ) throws(SeccompProfileError) -> SeccompRules.Action {
        switch value.string {
        case "SCMP_ACT_ALLOW": return .allow
        case "SCMP_ACT_ERRNO": return .error(code)
        case "SCMP_ACT_LOG": return .log
        case "SCMP_ACT_TRAP": return .trap
        case "SCMP_ACT_TRACE": return .trace(code)
        case "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD": return .killThread
        case "SCMP_ACT_KILL_PROCESS": return .killProcess
        case "SCMP_ACT_NOTIFY": throw failure(place, "SCMP_ACT_NOTIFY needs a listener, and swbuild runs none")
        case let name:
            let known = ["ALLOW", "ERRNO", "LOG", "TRAP", "TRACE", "KILL", "KILL_THREAD", "KILL_PROCESS"]
            let expected = SandboxOptions.expected("action", name ?? "", among: known.map { "SCMP_ACT_\($0)" })
            throw failure(place, "`\(name ?? "")` is none: expected \(expected)")
        }
    }
}

// MARK: Values

extension SeccompProfileReader {
    private func failure(_ place: String, _ problem: String) -> SeccompProfileError {
        SeccompProfileError(file: file, place: place, problem: problem)
    }

    /// An object with no members but the known ones: one that is misspelt would be a hole in the filter.
    private func object(
        _ value: JSONValue,
        _ place: String,
        known: [String]
    ) throws(SeccompProfileError) -> [String: JSONValue] {
        guard let members = value.object else { throw failure(place, "must be an object") }
        for name in members.keys.sorted() where !known.contains(name) {
            throw failure(
                place,
                "`\(name)` is not supported: expected \(SandboxOptions.expected("member", name, among: known))"
            )
        }
        return members
    }

    private func list(_ value: JSONValue?, _ place: String) throws(SeccompProfileError) -> [JSONValue] {
        guard let value, value != .null else { return [] }
        guard let items = value.array else { throw failure(place, "must be a list") }
        return items
    }

    private func strings(_ value: JSONValue?, _ place: String) throws(SeccompProfileError) -> [String] {
        var result: [String] = []
        for item in try list(value, place) {
            guard let text = item.string else { throw failure(place, "must be a list of texts") }
            result.append(text)
        }
        return result
    }

    private func number(_ value: JSONValue?, _ place: String) throws(SeccompProfileError) -> UInt64 {
        guard let value, value != .null else { return 0 }
        guard let number = value.integer, number >= 0 else {
            throw failure(place, "must be a whole number from 0 to \(Int64.max)")
        }
        return UInt64(number)
    }

    /// The error number of an action; EPERM where none is given.
    private func errorNumber(_ value: JSONValue?, _ place: String) throws(SeccompProfileError) -> UInt16 {
        guard let value, value != .null else { return 1 }
        // The kernel's MAX_ERRNO.
        guard let number = value.integer, (0...4095).contains(number) else {
            throw failure(place, "must be a number from 0 to 4095")
        }
        return UInt16(number)
    }
}
