/// The variables of a stage: ARG and ENV in one list, where the last to set a name wins.
struct VariableScope: Sendable {
    private var values: [String: String] = [:]
    private var order: [String] = []
    /// Names set by ENV, as opposed to ARG only.
    private var exported: Set<String> = []
    /// The names that ARG declared, in order of first declaration.
    private(set) var declaredArguments: [String] = []

    subscript(name: String) -> String? { values[name] }

    mutating func setEnvironment(_ name: String, to value: String) {
        set(name, to: value)
        exported.insert(name)
    }

    mutating func declareArgument(_ name: String, value: String?) {
        if !declaredArguments.contains(name) { declaredArguments.append(name) }
        if let value { set(name, to: value) }
    }

    private mutating func set(_ name: String, to value: String) {
        if values.updateValue(value, forKey: name) == nil { order.append(name) }
    }

    /// `NAME=value` of all variables in order of first setting.
    var environment: [String] {
        order.map { "\($0)=\(values[$0] ?? "")" }
    }

    /// The prefix that a RUN's history has for its arguments: `|2 A=1 B= `.
    var argumentPrefix: String {
        guard !declaredArguments.isEmpty else { return "" }
        let list = declaredArguments.map { "\($0)=\(values[$0] ?? "")" }.joined(separator: " ")
        return "|\(declaredArguments.count) \(list) "
    }
}
