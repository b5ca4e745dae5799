import LayerDiff

/// A file that a command names, and why it cannot be executed.
struct Executable {
    /// As the command names it.
    let name: String
    let found: LayerStack.Found
    let files: LayerStack

    private static let headLength = 4096

    /// One sentence, `nil` where nothing is seen to be wrong.
    var problem: String? {
        switch found.entry.kind {
        case .directory: return "`\(name)` is a directory"
        case .symlink: return "`\(name)` is a symbolic link to something that is not there"
        case .characterDevice, .blockDevice, .fifo, .whiteout: return "`\(name)` is no regular file"
        case .file, .hardLink: break
        }
        let mode = String(found.entry.mode, radix: 8)
        guard found.entry.mode & 0o111 != 0 else {
            return "`\(name)` is not executable (its mode is 0\(mode)): use `COPY --chmod=755`, or `chmod +x` before"
        }
        guard let head = try? read() else { return nil }
        if head.starts(with: "#!".utf8) { return scriptProblem(head) }
        if head.starts(with: [0x7F, 0x45, 0x4C, 0x46]) { return programProblem(head) }
        if head.isEmpty { return "`\(name)` is empty" }
        return nil
    }

    private func read() throws -> [UInt8] {
        let file = try files.open(found)
        var bytes = [UInt8](repeating: 0, count: Self.headLength)
        let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
        return Array(bytes.prefix(count))
    }

    private func exists(_ path: String) -> Bool {
        guard let resolved = try? files.resolve(ContainerPath(path), followLast: true) else { return false }
        return files.lookup(resolved) != nil
    }

    /// execve(2), "Interpreter scripts".
    private func scriptProblem(_ head: [UInt8]) -> String? {
        let line = head.dropFirst(2).prefix { $0 != UInt8(ascii: "\n") }
        if line.last == UInt8(ascii: "\r") {
            return "`\(name)` is a script with Windows line ends (CR LF): its interpreter is taken for one whose name "
                + "ends in a carriage return"
        }
        let words = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        guard let first = words.first else { return nil }
        let interpreter = String(decoding: first, as: UTF8.self)
        guard exists(interpreter) else {
            return "`\(name)` is a script whose interpreter \(interpreter) is missing in the image"
        }
        return nil
    }

    /// elf(5): the machine, and the interpreter that PT_INTERP names.
    private func programProblem(_ head: [UInt8]) -> String? {
        guard head.count >= 64 else { return nil }
        let machine = Int(head[18]) | Int(head[19]) << 8
        if machine != Self.ownMachine {
            return "`\(name)` is a program for another processor (\(Self.machineName(machine)))"
        }
        guard head[4] == 2, let loader = loader(head), !exists(loader) else { return nil }
        return
            "`\(name)` needs the loader \(loader), which is missing in the image: it was linked against another C library"
    }

    private func loader(_ head: [UInt8]) -> String? {
        func number(_ offset: Int, _ size: Int) -> Int? {
            guard offset >= 0, offset + size <= head.count else { return nil }
            return Int(truncatingIfNeeded: (0..<size).reduce(UInt64(0)) { $0 | UInt64(head[offset + $1]) << (8 * $1) })
        }
        guard let table = number(32, 8), table < head.count, let size = number(54, 2), let count = number(56, 2) else {
            return nil
        }
        for index in 0..<count {
            let header = table + index * size
            guard let type = number(header, 4) else { return nil }
            guard type == 3, let offset = number(header + 8, 8), let length = number(header + 32, 8) else { continue }
            guard offset >= 0, length > 0, offset < head.count, length <= head.count - offset else { return nil }
            return String(decoding: head[offset..<(offset + length)].prefix { $0 != 0 }, as: UTF8.self)
        }
        return nil
    }

    private static var ownMachine: Int {
        #if arch(x86_64)
        62
        #elseif arch(arm64)
        183
        #else
        0
        #endif
    }

    private static func machineName(_ machine: Int) -> String {
        switch machine {
        case 3: "386"
        case 8: "mips"
        case 20, 21: "ppc64"
        case 22: "s390x"
        case 40: "arm"
        case 62: "amd64"
        case 183: "arm64"
        case 243: "riscv64"
        default: "machine \(machine)"
        }
    }
}
