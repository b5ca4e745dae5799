/// One instruction of a filter: `struct sock_filter` (linux/filter.h).
struct FilterInstruction: BitwiseCopyable, Sendable, Hashable {
    var code: UInt16
    /// How many instructions to skip when the comparison holds, and when it does not.
    var whenTrue: UInt8 = 0
    var whenFalse: UInt8 = 0
    var operand: UInt32

    /// Loads a word of `struct seccomp_data` (seccomp(2)).
    static func load(_ offset: UInt32) -> FilterInstruction { .init(code: 0x20, operand: offset) }

    static func jump(_ count: Int) -> FilterInstruction { .init(code: 0x05, operand: UInt32(count)) }

    static func ifEqual(_ value: UInt32, then: UInt8, else other: UInt8) -> FilterInstruction {
        .init(code: 0x15, whenTrue: then, whenFalse: other, operand: value)
    }

    static func ifAtLeast(_ value: UInt32, then: UInt8, else other: UInt8) -> FilterInstruction {
        .init(code: 0x35, whenTrue: then, whenFalse: other, operand: value)
    }

    static func ifAnyBit(_ bits: UInt32, then: UInt8, else other: UInt8) -> FilterInstruction {
        .init(code: 0x45, whenTrue: then, whenFalse: other, operand: bits)
    }

    static let allow = FilterInstruction(code: 0x06, operand: 0x7fff_0000)

    static func refuse(_ errno: FilterErrno) -> FilterInstruction {
        .init(code: 0x06, operand: 0x0005_0000 | errno.rawValue)
    }
}

/// Makes one BPF program of tables: a search tree over the numbers of each interface.
///
/// libseccomp would do it in ten milliseconds, this takes a fraction of one; a step's overhead is a few in all.
enum FilterCompiler {
    private enum Offset {
        static let number: UInt32 = 0
        static let architecture: UInt32 = 4
        static func lowerHalf(ofArgument index: Int) -> UInt32 { 16 + 8 * UInt32(index) }
    }

    /// A run of numbers with the same verdict, up to the next one's start.
    private struct Run {
        var start: UInt32
        var verdict: SeccompProfile.Verdict
    }

    /// The program; a call by any other interface answers ENOSYS.
    static func program(for tables: [SystemCallTable]) -> [FilterInstruction] {
        var program: [FilterInstruction] = [.load(Offset.architecture)]
        for table in tables {
            let runs = runs(of: table)
            let body = [.load(Offset.number)] + tree(runs[...])
            program += [.ifEqual(table.architecture.rawValue, then: 1, else: 0), .jump(body.count)] + body
        }
        return program + [.refuse(.notImplemented)]
    }

    /// The verdicts of all numbers from 0 up.
    private static func runs(of table: SystemCallTable) -> [Run] {
        var runs: [Run] = []
        func append(_ start: UInt32, _ verdict: SeccompProfile.Verdict) {
            if runs.last?.verdict != verdict { runs.append(Run(start: start, verdict: verdict)) }
        }
        var next: UInt32 = 0
        func appendUnnamed(upTo end: UInt32) {
            guard next < end else { return }
            append(next, table.verdictForUnnamed(next))
            if next <= table.newestKnown, end > table.newestKnown + 1 {
                append(table.newestKnown + 1, table.verdictForUnnamed(table.newestKnown + 1))
            }
        }
        for entry in table.entries {
            appendUnnamed(upTo: entry.number)
            append(entry.number, entry.verdict)
            next = entry.number + 1
        }
        appendUnnamed(upTo: .max)
        return runs
    }

    private static func tree(_ runs: ArraySlice<Run>) -> [FilterInstruction] {
        guard runs.count > 1 else { return runs.first.map { verdict($0.verdict) } ?? [] }
        let middle = runs.startIndex + runs.count / 2
        let lower = tree(runs[..<middle])
        let upper = tree(runs[middle...])
        // A conditional jump reaches 255 instructions; beyond that an unconditional one goes the rest of the way.
        if let distance = UInt8(exactly: lower.count) {
            return [.ifAtLeast(runs[middle].start, then: distance, else: 0)] + lower + upper
        }
        return [.ifAtLeast(runs[middle].start, then: 0, else: 1), .jump(lower.count)] + lower + upper
    }

    private static func verdict(_ verdict: SeccompProfile.Verdict) -> [FilterInstruction] {
        switch verdict {
        case .allow: [.allow]
        case .refuse(let errno): [.refuse(errno)]
        case .allowWithoutBits(let argument, let bits):
            [
                .load(Offset.lowerHalf(ofArgument: argument)), .ifAnyBit(bits, then: 0, else: 1),
                .refuse(.notPermitted), .allow,
            ]
        case .allowExcept(let argument, let value):
            [
                .load(Offset.lowerHalf(ofArgument: argument)), .ifEqual(value, then: 0, else: 1),
                .refuse(.notPermitted), .allow,
            ]
        case .allowValues(let argument, let values):
            [.load(Offset.lowerHalf(ofArgument: argument))]
                + values.flatMap { [FilterInstruction.ifEqual($0, then: 0, else: 1), .allow] }
                + [.refuse(.notPermitted)]
        }
    }
}
