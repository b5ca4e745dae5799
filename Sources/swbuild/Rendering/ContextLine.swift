import Builder
import LayerDiff
import OCI

/// An entry of a build context as a line of text or JSON.
struct ContextLine {
    let entry: ContextEntry
    let ignoreFile: String

    /// `file 12 src/main.c`; what is not kept says why.
    var text: String {
        let size = entry.kind == .file ? "\(entry.size)" : "-"
        let slash = entry.kind == .directory ? "/" : ""
        let start =
            "\(Self.padded(Self.name(entry.kind), 9)) \(Self.padded(size, -12))  \(Self.safe(entry.path))\(slash)"
        switch entry.fate {
        case .kept: return start
        case .dropped(let line, let pattern):
            return "\(start)  dropped by \(ignoreFile):\(line): \(Self.safe(Array(pattern.utf8)))"
        case .unusable(let reason): return "\(start)  unusable: \(reason)"
        }
    }

    var json: JSONValue {
        var members: [String: JSONValue] = [
            "path": .string(String(decoding: entry.path, as: UTF8.self)), "type": .string(Self.name(entry.kind)),
        ]
        if entry.kind == .file { members["size"] = .integer(entry.size) }
        switch entry.fate {
        case .kept: members["kept"] = .bool(true)
        case .dropped(let line, let pattern):
            members["kept"] = .bool(false)
            members["dropped"] = .object([
                "file": .string(ignoreFile), "line": .integer(Int64(line)), "pattern": .string(pattern),
            ])
        case .unusable(let reason):
            members["kept"] = .bool(false)
            members["unusable"] = .string(reason)
        }
        return .object(members)
    }

    private static func name(_ kind: FileKind) -> String {
        switch kind {
        case .file: "file"
        case .directory: "directory"
        case .symlink: "symlink"
        case .characterDevice, .blockDevice: "device"
        case .fifo: "fifo"
        case .socket: "socket"
        }
    }

    /// To that width; to the right where it is negative.
    private static func padded(_ text: String, _ width: Int) -> String {
        let blanks = String(repeating: " ", count: max(0, abs(width) - text.utf8.count))
        return width < 0 ? blanks + text : text + blanks
    }

    /// A name without what would command the terminal.
    private static func safe(_ bytes: [UInt8]) -> String {
        if bytes.allSatisfy({ (0x20..<0x7F).contains($0) }) { return String(decoding: bytes, as: UTF8.self) }
        let scalars = String(decoding: bytes, as: UTF8.self).unicodeScalars.map { scalar -> Unicode.Scalar in
            switch scalar.value {
            case 0..<0x20, 0x7F..<0xA0, 0x202A...0x202E, 0x2066...0x2069: "\u{FFFD}"
            default: scalar
            }
        }
        return String(String.UnicodeScalarView(scalars))
    }
}

/// How much of a context is kept and dropped.
struct ContextTotals {
    private var kept = 0
    private var keptBytes: Int64 = 0
    private var dropped = 0
    private var unusable = 0

    mutating func count(_ entry: ContextEntry) {
        switch entry.fate {
        case .kept:
            kept += 1
            keptBytes += entry.size
        case .dropped: dropped += 1
        case .unusable: unusable += 1
        }
    }

    var text: String {
        let rest = unusable > 0 ? ", \(unusable) unusable" : ""
        return "\(kept) entries, \(Table.size(keptBytes)); \(dropped) dropped\(rest)"
    }

    var json: JSONValue {
        .object([
            "totals": .object([
                "kept": .integer(Int64(kept)), "bytes": .integer(keptBytes), "dropped": .integer(Int64(dropped)),
                "unusable": .integer(Int64(unusable)),
            ])
        ])
    }
}
