import Glibc
import LayerDiff
import SystemPackage

/// What a directory of the host holds, in one piece of memory: some sixty bytes for each name.
///
/// A node with its path takes five times as many, and a context may have hundreds of thousands.
struct CompactListing: DirectoryListing {
    /// What a record has behind the name: where a link points, or a device's numbers.
    struct Extra {
        var bytes: [UInt8] = []

        init(_ kind: TreeEntry.Kind) {
            switch kind {
            case .symlink(let target): bytes = target
            case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
                for number in [major, minor] { withUnsafeBytes(of: number) { bytes.append(contentsOf: $0) } }
            case .file, .directory, .hardLink, .fifo, .whiteout: break
            }
        }
    }

    /// The directory.
    let directory: ContainerPath
    /// The records.
    private(set) var bytes: [UInt8] = []
    /// Where each record begins, in byte order of the names.
    private(set) var starts: [UInt32] = []
    /// The numbers of the directories, in byte order of their names with a slash behind them: that is the order of all
    /// that is below them among their siblings.
    private(set) var entered: [Int] = []

    init(of directory: ContainerPath) { self.directory = directory }

    var count: Int { starts.count }

    var directories: [ContainerPath] { entered.map { number in withName(number) { directory.child($0) } } }

    /// Adds a name; names come in byte order.
    mutating func add(
        _ name: UnsafeRawBufferPointer,
        _ status: FileStatus,
        _ extra: Extra? = nil,
        isImplicit: Bool = false
    ) {
        let record = ListedRecord(status, name: name.count, extra: extra?.bytes.count ?? 0, isImplicit: isImplicit)
        if status.kind == .directory { entered.append(starts.count) }
        starts.append(UInt32(bytes.count))
        withUnsafeBytes(of: record) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: name)
        if let extra { bytes.append(contentsOf: extra.bytes) }
    }

    /// Records are counted in 32 bits.
    func checkSize() throws(FileError) {
        guard bytes.count > Int(UInt32.max) - (1 << 17) else { return }
        throw FileError(operation: "list", path: directory.description, errno: .fileTooLarge)
    }

    /// Nothing more is added.
    mutating func finish() {
        // It may be kept for long.
        if bytes.capacity > bytes.count + bytes.count / 8 { bytes = bytes.withUnsafeBytes { Array($0) } }
        // In byte order of the names they mostly are in that order.
        let isSorted = zip(entered, entered.dropFirst()).allSatisfy { contents(of: $0, precede: $1, asDirectory: true) }
        if !isSorted { entered = entered.sorted { contents(of: $0, precede: $1, asDirectory: true) } }
    }

    /// Whether what is in a directory comes before a name, or before what is in that.
    func contents(of directory: Int, precede other: Int, asDirectory: Bool = false) -> Bool {
        withName(directory) { left in
            withName(other) { right in
                let shared = min(left.count, right.count)
                if let start = left.baseAddress, let other = right.baseAddress {
                    let order = memcmp(start, other, shared)
                    if order != 0 { return order < 0 }
                }
                let slash = UInt8(ascii: "/")
                let next = (
                    left: left.count > shared ? left[shared] : slash, right: right.count > shared ? right[shared] : nil
                )
                if let right = next.right { return next.left < right }
                return asDirectory && next.left < slash
            }
        }
    }

    /// The record with this number.
    func record(_ number: Int) -> ListedRecord { ListedRecord(at: Int(starts[number]), in: bytes) }

    private func withName<Value>(_ number: Int, _ body: (UnsafeRawBufferPointer) -> Value) -> Value {
        ListedRecord.withName(at: Int(starts[number]), in: bytes, body)
    }
}

/// What a compact listing has of each name, before the name itself.
struct ListedRecord {
    static let size = MemoryLayout<ListedRecord>.size
    /// A byte, which the kinds of other modules need not be.
    private enum Kind: UInt8 {
        case file, directory, symlink, characterDevice, blockDevice, fifo

        init(_ kind: FileKind) {
            switch kind {
            // Sockets are not listed.
            case .file, .socket: self = .file
            case .directory: self = .directory
            case .symlink: self = .symlink
            case .characterDevice: self = .characterDevice
            case .blockDevice: self = .blockDevice
            case .fifo: self = .fifo
            }
        }
    }

    private static let shared: UInt8 = 1
    private static let implicit: UInt8 = 2

    private let inode: UInt64
    private let device: UInt64
    private let size: Int64
    private let modifiedSeconds: Int64
    private let changedSeconds: Int64
    private let modifiedNanoseconds: Int32
    private let changedNanoseconds: Int32
    /// The permission bits.
    let mode: UInt16
    private let kind: Kind
    private let flags: UInt8
    private let nameCount: UInt16
    private let extraCount: UInt16

    init(_ status: FileStatus, name: Int, extra: Int, isImplicit: Bool) {
        inode = status.inode
        device = status.device
        size = status.size
        modifiedSeconds = status.modified.seconds
        changedSeconds = status.changed.seconds
        modifiedNanoseconds = status.modified.nanoseconds
        changedNanoseconds = status.changed.nanoseconds
        mode = status.mode
        kind = Kind(status.kind)
        let isShared = status.linkCount > 1 && status.kind == .file
        flags = (isShared ? Self.shared : 0) | (isImplicit ? Self.implicit : 0)
        // A name has at most 255 bytes and a link's target 4096, see path_resolution(7).
        nameCount = UInt16(name)
        extraCount = UInt16(extra)
    }

    /// Reads the record that begins at `offset`.
    init(at offset: Int, in bytes: [UInt8]) {
        self = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: ListedRecord.self) }
    }

    static func withName<Value>(
        at offset: Int,
        in bytes: [UInt8],
        _ body: (UnsafeRawBufferPointer) throws -> Value
    ) rethrows -> Value {
        let start = offset + Self.size
        let count = Int(ListedRecord(at: offset, in: bytes).nameCount)
        return try bytes.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[start..<(start + count)])) }
    }

    /// What is behind the name of the record, which begins at `offset`.
    private func extra(at offset: Int, in bytes: [UInt8]) -> ArraySlice<UInt8> {
        let start = offset + Self.size + Int(nameCount)
        return bytes[start..<(start + Int(extraCount))]
    }

    var isDirectory: Bool { kind == .directory }

    /// The length of a regular file; `nil` for others.
    var fileSize: Int64? { kind == .file ? size : nil }

    /// Whether a directory is only there for what is below it.
    var isImplicit: Bool { flags & Self.implicit != 0 }

    var modified: Int64 { modifiedSeconds }

    /// What tells the file's content from another.
    var key: FileKey {
        FileKey(
            device: device,
            inode: inode,
            size: size,
            modified: Timestamp(seconds: modifiedSeconds, nanoseconds: modifiedNanoseconds),
            changed: Timestamp(seconds: changedSeconds, nanoseconds: changedNanoseconds)
        )
    }

    /// `nil` where the file has one name only.
    var identity: SourceNode.Identity? {
        flags & Self.shared == 0 ? nil : SourceNode.Identity(first: device, second: inode, path: nil)
    }

    /// What the record, which begins at `offset`, is of.
    func kind(at offset: Int, in bytes: [UInt8]) -> TreeEntry.Kind {
        func number(_ index: Int) -> UInt32 {
            extra(at: offset, in: bytes).withUnsafeBytes {
                $0.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)
            }
        }
        return switch kind {
        case .file: .file(size: size)
        case .directory: .directory(opaque: false)
        case .symlink: .symlink(target: Array(extra(at: offset, in: bytes)))
        case .characterDevice: .characterDevice(major: number(0), minor: number(1))
        case .blockDevice: .blockDevice(major: number(0), minor: number(1))
        case .fifo: .fifo
        }
    }
}
