import OrderedCollections

/// The variables of a stage: ARG and ENV in one list, where the last to set a name wins.
struct VariableScope: Sendable {
    private var values: OrderedDictionary<String, String> = [:]
    /// The names that ARG declared, in order of first declaration.
    private(set) var declaredArguments: OrderedSet<String> = []

    subscript(name: String) -> String? { values[name] }

    mutating func setEnvironment(_ name: String, to value: String) {
        values[name] = value
    }

    mutating func declareArgument(_ name: String, value: String?) {
        declaredArguments.append(name)
        if let value { values[name] = value }
    }

    /// `NAME=value` of all variables in order of first setting.
    var environment: [String] {
        values.map { "\($0.key)=\($0.value)" }
    }

    /// The prefix that a RUN's history has for its arguments: `|2 A=1 B= `.
    var argumentPrefix: String {
        guard !declaredArguments.isEmpty else { return "" }
        let list = declaredArguments.map { "\($0)=\(values[$0] ?? "")" }.joined(separator: " ")
        return "|\(declaredArguments.count) \(list) "
    }
}
