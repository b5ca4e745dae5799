extension SeccompProgram {
    /// A program that decides the same with fewer instructions; the same program where there is none.
    ///
    /// libseccomp asks for each call by its number. Neighbours of which the same becomes are most of them, and one
    /// comparison parts them from the next ones. Each instruction costs the kernel time when a step installs the filter:
    /// it copies, checks, translates and compiles all of them.
    func compacted() -> SeccompProgram {
        guard let decision = FilterReader(instructions: instructions).decision() else { return self }
        var writer = FilterWriter()
        _ = writer.place(decision)
        let compacted = writer.instructions
        return compacted.count < instructions.count ? SeccompProgram(instructions: compacted) : self
    }
}

/// Writes a program from its end to its beginning: what an instruction leads to is there before it.
private struct FilterWriter {
    /// The last instruction first.
    private var reversed: [SeccompProgram.Instruction] = []
    /// Where answers were placed last.
    private var answers: [UInt32: Int] = [:]

    /// Conditional jumps have eight bits; one instruction may come between.
    private static let reach = 253

    var instructions: [SeccompProgram.Instruction] { reversed.reversed() }

    private mutating func append(_ code: UInt16, _ operand: UInt32, whenTrue: Int = 0, whenFalse: Int = 0) {
        reversed.append(
            .init(
                code: code,
                whenTrue: UInt8(clamping: whenTrue),
                whenFalse: UInt8(clamping: whenFalse),
                operand: operand
            )
        )
    }

    /// How many instructions a jump that is placed now would skip to get to a place.
    private func distance(to place: Int) -> Int { reversed.count - place - 1 }

    /// Places what decides, and says where it begins: whatever is no answer begins with what was placed last.
    mutating func place(_ decision: FilterDecision) -> Int {
        switch decision {
        case .answer(let value):
            if let known = answers[value], distance(to: known) < Self.reach { return known }
            append(SeccompProgram.Instruction.answer, value)
            answers[value] = reversed.count - 1
        case .compare(let comparison, let whenTrue, let whenFalse):
            let no = place(whenFalse)
            let yes = place(whenTrue)
            branch(comparison.code, comparison.operand, whenTrue: yes, whenFalse: no)
            if comparison.mask != .max { append(SeccompProgram.Instruction.and, comparison.mask) }
            append(SeccompProgram.Instruction.load, comparison.word)
        case .split(let word, let ranges):
            _ = search(ranges[...])
            append(SeccompProgram.Instruction.load, word)
        }
        return reversed.count - 1
    }

    /// Places a search for the range that the accumulator is in.
    private mutating func search(_ ranges: ArraySlice<FilterDecision.Range>) -> Int {
        let (first, last) = (ranges.startIndex, ranges.endIndex - 1)
        if first == last { return place(ranges[first].decision) }
        if ranges.count == 3, ranges[first].decision == ranges[last].decision,
            ranges[first + 1].start &+ 1 == ranges[last].start
        {
            // One value among others.
            let others = place(ranges[first].decision)
            let one = place(ranges[first + 1].decision)
            branch(SeccompProgram.Instruction.isEqual, ranges[first + 1].start, whenTrue: one, whenFalse: others)
        } else {
            let middle = first + (ranges.count + 1) / 2
            let lower = search(ranges[first..<middle])
            let upper = search(ranges[middle...])
            let start = ranges[middle].start
            branch(SeccompProgram.Instruction.isAtLeast, start, whenTrue: upper, whenFalse: lower)
        }
        return reversed.count - 1
    }

    private mutating func branch(_ code: UInt16, _ operand: UInt32, whenTrue: Int, whenFalse: Int) {
        let no = near(whenFalse)
        let yes = near(whenTrue)
        append(code, operand, whenTrue: distance(to: yes), whenFalse: distance(to: no))
    }

    /// The place itself, or a jump to it that a conditional one reaches.
    private mutating func near(_ place: Int) -> Int {
        guard distance(to: place) > Self.reach else { return place }
        append(SeccompProgram.Instruction.jump, UInt32(distance(to: place)))
        return reversed.count - 1
    }
}

extension SeccompProgram.Instruction {
    /// BPF_LD | BPF_W | BPF_ABS (linux/bpf_common.h).
    static let load: UInt16 = 0x20
    /// BPF_ALU | BPF_AND | BPF_K.
    static let and: UInt16 = 0x54
    /// BPF_JMP | BPF_JA.
    static let jump: UInt16 = 0x05
    /// BPF_JMP | BPF_JEQ | BPF_K.
    static let isEqual: UInt16 = 0x15
    /// BPF_JMP | BPF_JGT | BPF_K.
    static let isGreater: UInt16 = 0x25
    /// BPF_JMP | BPF_JGE | BPF_K.
    static let isAtLeast: UInt16 = 0x35
    /// BPF_JMP | BPF_JSET | BPF_K.
    static let testBits: UInt16 = 0x45
    /// BPF_RET | BPF_K.
    static let answer: UInt16 = 0x06

    /// What an instruction does.
    enum Kind { case load, and, jump, compare, answer }

    var kind: Kind {
        switch code {
        case Self.load: .load
        case Self.and: .and
        case Self.jump: .jump
        case Self.answer: .answer
        default: .compare
        }
    }

    /// Whether a comparison of a value holds.
    func holds(_ value: UInt32) -> Bool {
        switch code {
        case Self.isEqual: value == operand
        case Self.isGreater: value > operand
        case Self.isAtLeast: value >= operand
        default: value & operand != 0
        }
    }
}
