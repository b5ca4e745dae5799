/// A system call filter as the kernel takes it: a BPF program.
public struct SeccompProgram: Sendable, Hashable {
    /// One instruction: `struct sock_filter` (linux/filter.h).
    struct Instruction: BitwiseCopyable, Sendable, Hashable {
        var code: UInt16
        /// How many instructions to skip when the comparison holds, and when it does not.
        var whenTrue: UInt8
        var whenFalse: UInt8
        var operand: UInt32
    }

    /// The instructions; with none, there is no filter.
    let instructions: [Instruction]

    /// No filter: every system call is allowed.
    static let unconfined = SeccompProgram(instructions: [])

    /// What a program takes at most: BPF_MAXINSNS (linux/bpf_common.h) instructions.
    static let sizeLimit = 4096 * MemoryLayout<Instruction>.size

    init(instructions: [Instruction]) {
        self.instructions = instructions
    }

    /// The program in these bytes; nil when they are none, or none that libseccomp would make of a definition.
    ///
    /// `withAnyAction` is for programs of users, who choose what happens with a call.
    init?(checking bytes: [UInt8], withAnyAction: Bool = false) {
        let size = MemoryLayout<Instruction>.size
        guard !bytes.isEmpty, bytes.count <= Self.sizeLimit, bytes.count.isMultiple(of: size) else { return nil }
        instructions = bytes.withUnsafeBytes { memory in
            stride(from: 0, to: memory.count, by: size).map {
                memory.loadUnaligned(fromByteOffset: $0, as: Instruction.self)
            }
        }
        for (position, instruction) in instructions.enumerated() {
            guard instruction.isSound(before: instructions.count - position - 1, withAnyAction) else { return nil }
        }
    }

    /// The instructions as they lie in memory.
    public var bytes: [UInt8] {
        instructions.withUnsafeBytes { Array($0) }
    }
}

extension SeccompProgram.Instruction {
    /// Whether this is an instruction of a filter made here, and what it leads to is among the `remaining` ones after it.
    ///
    /// Every instruction leads on and the last one leads nowhere: the last one returns.
    fileprivate func isSound(before remaining: Int, _ withAnyAction: Bool) -> Bool {
        switch code {
        // An aligned word of `struct seccomp_data`, 64 bytes long.
        case Self.load: operand < 64 && operand.isMultiple(of: 4) && remaining > 0
        case Self.and: remaining > 0
        case Self.jump: operand < UInt32(remaining)
        case Self.isEqual, Self.isGreater, Self.isAtLeast, Self.testBits:
            Int(max(whenTrue, whenFalse)) < remaining
        case Self.answer:
            withAnyAction || operand == FilterRule.Action.allow.rawValue || operand == FilterRule.Action.refuse.rawValue
                || operand == FilterRule.otherwise
        default: false
        }
    }
}
