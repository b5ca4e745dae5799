extension SeccompRules {
    /// Docker's default profile for a step with these capabilities, as rules by name: for programs that make a filter of
    /// their own.
    ///
    /// They are those of the filter that this program makes, and what no rule names answers ENOSYS there too. A rule by
    /// name holds for all interfaces of the machine.
    public static func docker(_ capabilities: CapabilitySet) -> SeccompRules {
        let tables = FilterArchitecture.all.map {
            SystemCallTable(.docker, architecture: $0, capabilities: capabilities)
        }
        var known: Set<String> = []
        // The native interface comes first: where two differ, it decides.
        let entries = tables.flatMap(\.entries).filter { known.insert($0.name).inserted }
        let unconditional: [Rule] = [FilterRule.Action.allow, .refuse].compactMap { action in
            let names = entries.filter { $0.isAlways(action) }.map(\.name).sorted()
            guard !names.isEmpty else { return nil }
            return Rule(names: names, action: Action(rawValue: action.rawValue), comparisons: [], place: "default")
        }
        let conditional = entries.filter { !$0.isAlways(.allow) && !$0.isAlways(.refuse) }.flatMap { entry in
            entry.verdict.rules(for: 0).map { rule in
                Rule(
                    names: [entry.name],
                    action: Action(rawValue: rule.action.rawValue),
                    comparisons: rule.comparison.map { [Comparison($0)] } ?? [],
                    place: "default"
                )
            }
        }
        return SeccompRules(
            defaultAction: Action(rawValue: FilterRule.otherwise),
            architectures: tables.map { $0.architecture == .i386 ? "x86" : $0.architecture.name },
            rules: unconditional + conditional
        )
    }
}

extension SystemCallTable.Entry {
    /// Whether one thing happens with the call, whatever its arguments are.
    fileprivate func isAlways(_ action: FilterRule.Action) -> Bool {
        verdict.rules(for: 0) == [FilterRule(call: 0, action: action)]
    }
}

extension SeccompRules.Comparison {
    fileprivate init(_ comparison: ArgumentComparison) {
        self.init(
            argument: UInt32(comparison.argument),
            comparison: .maskedEqual,
            value: UInt64(comparison.mask),
            second: UInt64(comparison.value)
        )
    }
}
