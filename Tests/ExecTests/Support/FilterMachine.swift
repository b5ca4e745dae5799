@testable import Exec

/// Runs a filter as the kernel does (Documentation/networking/filter.rst).
struct FilterMachine {
    let instructions: [SeccompProgram.Instruction]

    /// An instruction that is none, or looks at what the call does not have.
    struct Fault: Error {
        var position: Int
    }

    /// What the filter returns for a call: the words of `struct seccomp_data` by their offsets.
    func run(_ call: [UInt32: UInt32]) throws -> UInt32 {
        var accumulator: UInt32 = 0
        var position = 0
        while position < instructions.count {
            let instruction = instructions[position]
            let operand = instruction.operand
            position += 1
            func jump(when holds: Bool) {
                position += Int(holds ? instruction.whenTrue : instruction.whenFalse)
            }
            switch instruction.code {
            case 0x20:
                guard let word = call[operand] else { throw Fault(position: position) }
                accumulator = word
            case 0x05: position += Int(operand)
            case 0x15: jump(when: accumulator == operand)
            case 0x25: jump(when: accumulator > operand)
            case 0x35: jump(when: accumulator >= operand)
            case 0x45: jump(when: accumulator & operand != 0)
            case 0x54: accumulator &= operand
            case 0x06: return operand
            default: throw Fault(position: position)
            }
        }
        throw Fault(position: position)
    }
}
