import Testing

@testable import Exec

/// Filters that were made shorter, against what they were made of.
@Suite struct CompactingTests {
    /// Every number that a call has, and some beyond.
    private static let numbers = Array(UInt32(0)...1100) + [0x3fff_ffff, 0x4000_0000, 0x4000_0001, 0x4000_0200, .max]
    private static let architectures: [UInt32] =
        FilterArchitecture.all.map(\.rawValue) + [0, 0x4000_0028, 0xc000_003f, 0xc000_00b7, .max]
    /// Each of both halves of an argument.
    private static let words: [UInt32] = [
        0, 1, 2, 8, 38, 40, 0x20000, 0x20008, 0x1000_0000, 0x1000_0011, 0x7e02_0000, 0x8000_0000, .max,
    ]

    private func expectSame(_ program: SeccompProgram, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let before = FilterMachine(instructions: program.instructions)
        let after = FilterMachine(instructions: program.compacted().instructions)
        for architecture in Self.architectures {
            for number in Self.numbers {
                for low in Self.words {
                    for high: UInt32 in [0, 1, .max] {
                        var call: [UInt32: UInt32] = [0: number, 4: architecture]
                        for argument in UInt32(0)..<6 {
                            call[16 + 8 * argument] = argument == 0 ? low : low &+ argument
                            call[20 + 8 * argument] = high
                        }
                        let (expected, found) = (try before.run(call), try after.run(call))
                        try #require(expected == found, "\(call)", sourceLocation: sourceLocation)
                    }
                }
            }
        }
    }

    @Test(arguments: [CapabilitySet.docker, [], CapabilitySet(rawValue: .max)])
    func theDefaultFilterDecidesTheSame(capabilities: CapabilitySet) throws {
        let program = try FilterDefinition(.docker, capabilities: capabilities).asLibraryMakesIt()
        try expectSame(program)
        // It is what a step's start waits for.
        #expect(program.compacted().instructions.count * 2 < program.instructions.count)
        #expect(SeccompProgram(checking: program.compacted().bytes) != nil)
    }

    @Test func aUsersFilterDecidesTheSame() throws {
        let context = try FilterContext(otherwise: 0x7ffc_0000)
        typealias Comparison = SeccompRules.Comparison
        let rules: [([String], SeccompRules.Action, [Comparison])] = [
            (["read", "write", "openat", "close"], .init(rawValue: 0x7fff_0000), []),
            (["mkdir"], .init(rawValue: 0x5_000d), []),
            (["socket"], .init(rawValue: 0x5_0001), [Comparison(argument: 0, comparison: .equal, value: 8, second: 0)]),
            (
                ["ioctl"], .init(rawValue: 0x3_0000),
                [
                    Comparison(argument: 1, comparison: .greater, value: 1 << 32 | 2, second: 0),
                    Comparison(argument: 2, comparison: .maskedEqual, value: 0x0f, second: 2),
                ]
            ),
            (["prctl"], .init(rawValue: 0), [Comparison(argument: 0, comparison: .lessOrEqual, value: 38, second: 0)]),
        ]
        for (names, action, comparisons) in rules {
            let rule = SeccompRules.Rule(names: names, action: action, comparisons: comparisons, place: "a test")
            for name in names { try context.add(name, rule) }
        }
        try expectSame(try #require(SeccompProgram(checking: try context.exported(), withAnyAction: true)))
    }

    @Test func aFilterThatComputesWithNumbersStaysAsItIs() {
        let instructions: [SeccompProgram.Instruction] = [
            .init(code: 0x20, whenTrue: 0, whenFalse: 0, operand: 0),
            .init(code: 0x54, whenTrue: 0, whenFalse: 0, operand: 1),
            .init(code: 0x15, whenTrue: 0, whenFalse: 1, operand: 1),
            .init(code: 0x06, whenTrue: 0, whenFalse: 0, operand: 0x7fff_0000),
            .init(code: 0x06, whenTrue: 0, whenFalse: 0, operand: 0x5_0001),
        ]
        let program = SeccompProgram(instructions: instructions)
        #expect(program.compacted() == program)
    }

    @Test func jumpsThatAreTooFarAreMadeInTwo() throws {
        // 600 numbers, each with an answer of its own: no comparison reaches over half of them.
        var instructions: [SeccompProgram.Instruction] = [.init(code: 0x20, whenTrue: 0, whenFalse: 0, operand: 0)]
        for number in UInt32(0)..<600 {
            instructions.append(.init(code: 0x15, whenTrue: 0, whenFalse: 2, operand: number * 2))
            instructions.append(.init(code: 0x05, whenTrue: 0, whenFalse: 0, operand: 0))
            instructions.append(.init(code: 0x06, whenTrue: 0, whenFalse: 0, operand: 0x5_0000 + number))
        }
        instructions.append(.init(code: 0x06, whenTrue: 0, whenFalse: 0, operand: 0x7fff_0000))
        let program = SeccompProgram(instructions: instructions)
        let compacted = program.compacted()
        #expect(compacted.instructions.count < instructions.count)
        for number in UInt32(0)..<1300 {
            let call: [UInt32: UInt32] = [0: number, 4: 0]
            let expected = try FilterMachine(instructions: instructions).run(call)
            #expect(try FilterMachine(instructions: compacted.instructions).run(call) == expected, "\(number)")
        }
    }
}
