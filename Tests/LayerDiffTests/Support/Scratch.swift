import Glibc
import LayerDiff
import SystemPackage

/// A directory of a test's own, removed when the test is done with it.
final class Scratch: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/layerdiff-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
        path = template.withUnsafeBufferPointer {
            String(decoding: $0.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
    }

    deinit {
        _ = try? shell("rm -rf \(path)")
    }

    /// Makes a directory and opens it.
    func directory(_ name: String) throws -> Directory {
        mkdir("\(path)/\(name)", 0o755)
        return try Directory(path: "\(path)/\(name)")
    }

    /// Opens a new file, calls `body` with it and closes it.
    func file<Value>(_ name: String, _ body: (FileDescriptor) throws -> Value) throws -> Value {
        let file = try FileDescriptor.open(
            "\(path)/\(name)",
            .readWrite,
            options: [.create, .truncate],
            permissions: [.ownerReadWrite]
        )
        return try file.closeAfter { try body(file) }
    }

    /// Opens a file that is there.
    func reading<Value>(_ name: String, _ body: (FileDescriptor) throws -> Value) throws -> Value {
        let file = try FileDescriptor.open("\(path)/\(name)", .readOnly)
        return try file.closeAfter { try body(file) }
    }

    /// Writes a file in one piece.
    func write(_ bytes: [UInt8], to name: String) throws {
        try file(name) { _ = try $0.writeAll(bytes) }
    }

    /// Reads a file in one piece.
    func read(_ name: String) throws -> [UInt8] {
        try reading(name) { file in
            var all: [UInt8] = []
            var block = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let count = try block.withUnsafeMutableBytes { try file.read(into: $0) }
                if count == 0 { return all }
                all += block[..<count]
            }
        }
    }
}

struct CommandFailed: Error, CustomStringConvertible {
    let description: String
}

/// Runs a shell command: what it printed.
@discardableResult
func shell(_ command: String) throws -> String {
    guard let pipe = popen("( \(command) ) 2>&1", "r") else { throw Errno(rawValue: errno) }
    var output: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 4096)
    while true {
        let count = fread(&block, 1, block.count, pipe)
        if count == 0 { break }
        output += block[..<count]
    }
    let text = String(decoding: output, as: UTF8.self)
    let status = pclose(pipe)
    guard status == 0 else { throw CommandFailed(description: "\(command.prefix(300)): status \(status): \(text)") }
    return text
}

/// A small deterministic source of numbers.
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
    }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next() >> 11) }
    }
}
