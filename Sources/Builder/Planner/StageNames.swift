import BuildFileParser

extension [Stage] {
    /// The stages' numbers by their names in lower case.
    /// - Throws: ``Diagnostic`` where two have one name.
    func numbersByName() throws(Diagnostic) -> [String: Int] {
        var numbers: [String: Int] = [:]
        for (index, stage) in enumerated() {
            guard let name = stage.from.value.name else { continue }
            if let earlier = numbers.updateValue(index, forKey: name.value.lowercased()) {
                let line = self[earlier].from.value.name?.range.start.line ?? self[earlier].from.range.start.line
                throw Diagnostic(
                    "a stage named `\(name.value)` exists already",
                    at: name.range,
                    notes: ["line \(line) names the other one"]
                )
            }
        }
        return numbers
    }
}
