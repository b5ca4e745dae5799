import BuildFileParser
import Exec

extension SandboxOptions {
    /// Takes a value of `--shm-size`.
    /// - Throws: ``MalformedOption``.
    public mutating func setSharedMemorySize(_ text: String) throws(MalformedOption) {
        // A tmpfs of size 0 would be one without a limit.
        guard let size = ByteSize.parse(text), size > 0, size <= UInt64(Int64.max) else {
            throw MalformedOption(option: "--shm-size", value: text, expected: "a size above 0, such as 64m or 1g")
        }
        sharedMemorySize = size
    }

    /// Takes a value of `--ulimit`, `NAME=SOFT[:HARD]`; of several for one resource the last one holds.
    /// - Throws: ``MalformedOption``.
    public mutating func addLimit(_ text: String) throws(MalformedOption) {
        func failure(_ expected: String) -> MalformedOption {
            MalformedOption(option: "--ulimit", value: text, expected: expected)
        }
        func number(_ text: String) -> UInt64? {
            if text == "-1" || text == "unlimited" { return ResourceLimit.unlimited }
            return text.utf8.first == UInt8(ascii: "+") ? nil : UInt64(text)
        }
        let pair = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard pair.count == 2 else { throw failure("NAME=SOFT[:HARD]") }
        guard let resource = ResourceLimit.Resource(rawValue: pair[0]) else {
            throw failure(Self.expected("limit", pair[0], among: ResourceLimit.Resource.allCases.map(\.rawValue)))
        }
        let values = pair[1].split(separator: ":", omittingEmptySubsequences: false).map { number(String($0)) }
        guard (1...2).contains(values.count), let soft = values[0], let hard = values[values.count - 1] else {
            throw failure("numbers, or -1 for no limit: \(pair[0])=SOFT[:HARD]")
        }
        guard soft <= hard else { throw failure("a soft limit that is not above the hard one") }
        resourceLimits.removeAll { $0.resource == resource }
        resourceLimits.append(ResourceLimit(resource, soft: soft, hard: hard))
        resourceLimits.sort { $0.resource.rawValue < $1.resource.rawValue }
    }

    /// Takes the values of `--cap-add` and `--cap-drop`, names with or without `CAP_`, or `ALL`.
    ///
    /// What is added wins over what is dropped; only against `--cap-add ALL` does a drop count. That is Docker's order.
    /// - Throws: ``MalformedOption``.
    public mutating func setCapabilities(add: [String], drop: [String]) throws(MalformedOption) {
        let added = try Self.capabilities(add, option: "--cap-add")
        let dropped = try Self.capabilities(drop, option: "--cap-drop")
        if added.isAll {
            capabilities = CapabilitySet.all.subtracting(dropped.isAll ? [] : dropped.set)
        } else {
            capabilities = (dropped.isAll ? [] : CapabilitySet.docker.subtracting(dropped.set)).union(added.set)
        }
    }

    private static func capabilities(
        _ texts: [String],
        option: String
    ) throws(MalformedOption) -> (set: CapabilitySet, isAll: Bool) {
        var set: CapabilitySet = []
        var isAll = false
        for text in texts.flatMap({ $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }) {
            if text.uppercased() == "ALL" {
                isAll = true
            } else if let capability = CapabilitySet(name: text) {
                set.formUnion(capability)
            } else {
                let name = text.uppercased().hasPrefix("CAP_") ? String(text.dropFirst(4)) : text
                throw MalformedOption(
                    option: option,
                    value: text,
                    expected: Self.expected("capability", name, among: ["ALL"] + CapabilitySet.names)
                )
            }
        }
        return (set, isAll)
    }

    /// Takes values of `--allow`, which may be lists with commas.
    /// - Throws: ``MalformedOption``.
    public mutating func allow(_ text: String) throws(MalformedOption) {
        for name in text.split(separator: ",", omittingEmptySubsequences: false).map(String.init) {
            guard let entitlement = Entitlement(rawValue: name) else {
                throw MalformedOption(
                    option: "--allow",
                    value: name,
                    expected: Self.expected("entitlement", name, among: Entitlement.allCases.map(\.rawValue))
                )
            }
            if !entitlements.contains(entitlement) { entitlements.append(entitlement) }
        }
    }

    /// What was expected in place of a word: the known ones, or the one that was probably meant.
    static func expected(_ what: String, _ word: String, among known: [String]) -> String {
        if let near = suggestion(for: word, among: known) {
            return "the name of a known \(what); did you mean \(near)?"
        }
        return known.count > 16 ? "the name of a known \(what)" : "one of \(known.joined(separator: ", "))"
    }
}
