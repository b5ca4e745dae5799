import OrderedCollections

/// The variables of a stage: ARG and ENV in one list, where the last to set a name wins.
struct VariableScope: Sendable {
    /// Each value, alone and as `NAME=value`: steps share these texts instead of each making its own.
    private var values: OrderedDictionary<String, (value: String, pair: String)> = [:]
    /// The names that ARG declared, in order of first declaration.
    private(set) var declaredArguments: OrderedSet<String> = []

    /// How many variables and declarations there are.
    var count: Int { values.count + declaredArguments.count }

    /// The names of all variables, in order of first setting.
    var names: [String] { Array(values.keys) }

    subscript(name: String) -> String? { values[name]?.value }

    mutating func setEnvironment(_ name: String, to value: String) {
        values[name] = (value, "\(name)=\(value)")
    }

    mutating func declareArgument(_ name: String, value: String?) {
        declaredArguments.append(name)
        if let value { setEnvironment(name, to: value) }
    }

    /// `NAME=value` of all variables in order of first setting.
    var environment: [String] {
        values.values.map(\.pair)
    }

    /// The prefix that a RUN's history has for its arguments: `|2 A=1 B= `.
    var argumentPrefix: String {
        guard !declaredArguments.isEmpty else { return "" }
        let list = declaredArguments.map { "\($0)=\(self[$0] ?? "")" }.joined(separator: " ")
        return "|\(declaredArguments.count) \(list) "
    }
}
