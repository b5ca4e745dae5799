/// What a system call filter decides, as a tree of questions about a call (`struct seccomp_data`, seccomp(2)).
indirect enum FilterDecision: Hashable {
    /// What happens with the call.
    case answer(UInt32)

    /// Depends on a comparison.
    case compare(Comparison, whenTrue: FilterDecision, whenFalse: FilterDecision)

    /// Depends on where the word at an offset lies: the ranges are in order, and the first one begins at 0.
    case split(word: UInt32, [Range])

    /// A comparison of some bits of a word of the call with an operand.
    struct Comparison: Hashable {
        /// The word's offset in bytes.
        var word: UInt32
        var mask: UInt32
        /// The instruction: BPF_JMP with one of BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET.
        var code: UInt16
        var operand: UInt32
    }

    /// What holds from a value on, up to the next range.
    struct Range: Hashable {
        var start: UInt32
        var decision: FilterDecision
    }

    /// A split of which neighbours that decide the same are one.
    static func split(word: UInt32, merging ranges: [Range]) -> FilterDecision {
        var merged: [Range] = []
        for range in ranges where merged.last?.decision != range.decision { merged.append(range) }
        return merged.count == 1 ? merged[0].decision : .split(word: word, merged)
    }
}

/// The words of a call that tell calls from one another.
enum FilterWord {
    static let number: UInt32 = 0
    static let architecture: UInt32 = 4
}

/// Reads from a program what it decides.
///
/// nil stands for a program of a kind that is not made here: one that computes with the number of a call, or asks too
/// much.
struct FilterReader {
    let instructions: [SeccompProgram.Instruction]

    /// What the accumulator holds.
    private enum Source: Hashable {
        case nothing
        case word(UInt32, mask: UInt32)
    }

    /// How many questions about arguments a single call may take.
    private static let questionLimit = 64

    /// All that the program decides.
    func decision() -> FilterDecision? {
        guard let starts = starts() else { return nil }
        var architectures: [FilterDecision.Range] = []
        for architecture in starts.architectures {
            var calls: [FilterDecision.Range] = []
            for number in starts.numbers {
                var walk = Walk(instructions: instructions, architecture: architecture, number: number)
                guard let decision = walk.decision(at: 0, .nothing) else { return nil }
                calls.append(.init(start: number, decision: decision))
            }
            let decision = FilterDecision.split(word: FilterWord.number, merging: calls)
            architectures.append(.init(start: architecture, decision: decision))
        }
        return .split(word: FilterWord.architecture, merging: architectures)
    }

    /// The values from which on another comparison with the number or the architecture may hold.
    private func starts() -> (architectures: [UInt32], numbers: [UInt32])? {
        var sources = [Set<Source>](repeating: [], count: instructions.count + 1)
        var starts: [UInt32: Set<UInt32>] = [FilterWord.number: [0], FilterWord.architecture: [0]]
        sources[0] = [.nothing]
        for (place, instruction) in instructions.enumerated() {
            for source in sources[place] {
                switch instruction.kind {
                case .load: sources[place + 1].insert(.word(instruction.operand, mask: .max))
                case .and:
                    guard case .word(let word, let mask) = source, starts[word] == nil else { return nil }
                    sources[place + 1].insert(.word(word, mask: mask & instruction.operand))
                case .jump: sources[place + 1 + Int(instruction.operand)].insert(source)
                case .compare:
                    if case .word(let word, _) = source, starts[word] != nil {
                        guard instruction.code != SeccompProgram.Instruction.testBits else { return nil }
                        starts[word, default: []].formUnion([instruction.operand, instruction.operand &+ 1])
                    }
                    sources[place + 1 + Int(instruction.whenTrue)].insert(source)
                    sources[place + 1 + Int(instruction.whenFalse)].insert(source)
                case .answer: break
                }
            }
        }
        return (
            (starts[FilterWord.architecture] ?? []).sorted(), (starts[FilterWord.number] ?? []).sorted()
        )
    }

    /// A walk through the program with a call whose arguments are not known.
    private struct Walk {
        let instructions: [SeccompProgram.Instruction]
        let architecture: UInt32
        let number: UInt32
        var questions = 0

        mutating func decision(at start: Int, _ source: Source) -> FilterDecision? {
            var (place, source) = (start, source)
            while place < instructions.count {
                let instruction = instructions[place]
                place += 1
                switch instruction.kind {
                case .answer: return .answer(instruction.operand)
                case .load: source = .word(instruction.operand, mask: .max)
                case .and:
                    guard case .word(let word, let mask) = source else { return nil }
                    source = .word(word, mask: mask & instruction.operand)
                case .jump: place += Int(instruction.operand)
                case .compare:
                    guard case .word(let word, let mask) = source else { return nil }
                    guard let value = known(word) else { return question(instruction, place, source) }
                    let holds = instruction.holds(value & mask)
                    place += Int(holds ? instruction.whenTrue : instruction.whenFalse)
                }
            }
            return nil
        }

        private func known(_ word: UInt32) -> UInt32? {
            switch word {
            case FilterWord.number: number
            case FilterWord.architecture: architecture
            default: nil
            }
        }

        private mutating func question(
            _ instruction: SeccompProgram.Instruction,
            _ place: Int,
            _ source: Source
        ) -> FilterDecision? {
            questions += 1
            guard questions <= FilterReader.questionLimit, case .word(let word, let mask) = source,
                let whenTrue = decision(at: place + Int(instruction.whenTrue), source),
                let whenFalse = decision(at: place + Int(instruction.whenFalse), source)
            else { return nil }
            if whenTrue == whenFalse { return whenTrue }
            let comparison = FilterDecision.Comparison(
                word: word,
                mask: mask,
                code: instruction.code,
                operand: instruction.operand
            )
            return .compare(comparison, whenTrue: whenTrue, whenFalse: whenFalse)
        }
    }
}
