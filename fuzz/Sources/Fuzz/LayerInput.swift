import CFuzzer
import Glibc
import SystemPackage

/// How long a tar may become in these fuzzers: what is longer must be refused.
let mostLayerBytes: Int64 = 8 << 20
/// How many entries it may have.
let mostLayerEntries = 200

/// An input as a layer's blob: where its first byte is even, headers in it get the checksums that make them valid.
func blob(_ input: [UInt8]) -> [UInt8] {
    guard let mode = input.first else { return [] }
    var bytes = Array(input.dropFirst())
    guard mode.isMultiple(of: 2) else { return bytes }
    for start in stride(from: 0, to: bytes.count - 511, by: 512) {
        let block = start..<(start + 512)
        let magic = bytes[(start + 257)..<(start + 262)]
        let isOld = bytes[start + 154] == 0 && bytes[start + 155] == UInt8(ascii: " ")
        guard magic.elementsEqual("ustar".utf8) || isOld, bytes[block].contains(where: { $0 != 0 }) else { continue }
        for index in (start + 148)..<(start + 156) { bytes[index] = UInt8(ascii: " ") }
        let sum = String(bytes[block].reduce(0) { $0 + Int($1) }, radix: 8)
        let field = Array(String(repeating: "0", count: max(0, 6 - sum.utf8.count)).utf8) + Array(sum.utf8) + [0, 0x20]
        bytes.replaceSubrange((start + 148)..<(start + 156), with: field.prefix(8))
    }
    return bytes
}

/// Calls `body` with a file in memory that holds `bytes`.
func withFile<Value>(_ bytes: [UInt8], _ body: (FileDescriptor) throws -> Value) rethrows -> Value {
    let raw = cfuzzer_memory_file()
    require(raw >= 0, "there is no file in memory: \(errno)")
    let file = FileDescriptor(rawValue: raw)
    defer { close(raw) }
    bytes.withUnsafeBytes { bytes in
        require(
            bytes.isEmpty || pwrite(raw, bytes.baseAddress, bytes.count, 0) == bytes.count,
            "cannot write: \(errno)"
        )
    }
    return try body(file)
}
