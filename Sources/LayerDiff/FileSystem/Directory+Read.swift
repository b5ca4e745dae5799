import CShims
import Glibc
import SystemPackage

/// A name in a directory and what it stands for.
public struct DirectoryItem: Sendable, Hashable {
    /// The name's bytes.
    public let name: [UInt8]
    /// What it stands for.
    public let status: FileStatus
}

/// A name in a directory that is being listed; good only as long as that is.
public struct DirectoryName {
    fileprivate let start: UnsafePointer<CChar>
    /// What it stands for, where the directory itself says so.
    public let kind: FileKind?
    fileprivate let directory: Directory

    /// The name's bytes.
    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: strlen(start)) }

    /// What it stands for; `nil` where the name went away since it was listed.
    /// - Throws: ``FileError`` when the system refuses.
    public func status() throws(FileError) -> FileStatus? {
        var status = cshims_status()
        let result = cshims_status(directory.rawDescriptor, start, &status)
        if result == -ENOENT { return nil }
        guard result == 0, let found = FileStatus(status) else {
            let code = result == 0 ? -EINVAL : result
            throw FileError("examine", directory.display(.root.child(bytes)), negated: Int(code))
        }
        return found
    }
}

extension Directory {
    /// What `path` stands for, `nil` when it does not exist; no component is followed if it is a symlink.
    /// - Throws: ``FileError`` when the system refuses.
    public func status(_ path: ContainerPath) throws(FileError) -> FileStatus? {
        let descriptor = tryOpen(path, CInt(CSHIMS_O_PATH) | O_NOFOLLOW | O_CLOEXEC, .beneath)
        guard descriptor >= 0 else {
            // Beneath a file there is nothing either.
            if descriptor == -ENOENT || descriptor == -ENOTDIR { return nil }
            throw FileError("examine", display(path), negated: Int(descriptor))
        }
        return try OwnedDescriptor(owning: descriptor, path: display(path)).status()
    }

    /// What the directory at `path` holds, in byte order of the names.
    /// - Throws: ``FileError`` when there is no such directory or it may not be read.
    public func list(_ path: ContainerPath) throws(FileError) -> [DirectoryItem] {
        let directory = try directory(path)
        let names = try directory.nameList()
        var items: [DirectoryItem] = []
        items.reserveCapacity(names.starts.count)
        for start in names.starts {
            let result = names.withName(at: start) { FileStatus.read(directory.rawDescriptor, $0) }
            let name = names.name(at: start)
            switch result {
            case .success(let status): items.append(DirectoryItem(name: name, status: status))
            case .failure(let failure):
                // A name that went away since it was listed is no part of the answer.
                if failure.value == -Int(ENOENT) { continue }
                throw FileError("examine", directory.display(ContainerPath(clean: name)), negated: failure.value)
            }
        }
        return items
    }

    /// Calls `body` with each name in the directory at `path`, in byte order.
    ///
    /// For who wants less memory or fewer system calls than ``list(_:)`` takes: `body` must copy what it keeps.
    ///
    /// - Throws: ``FileError`` when there is no such directory or it may not be read; what `body` throws.
    public func forEachName(in path: ContainerPath, _ body: (DirectoryName) throws -> Void) throws {
        let directory = try directory(path)
        let names = try directory.nameList()
        for start in names.starts {
            try names.withName(at: start) { name in
                try body(DirectoryName(start: name, kind: names.kind(at: start), directory: directory))
            }
        }
    }

    /// The names in this very directory, in byte order.
    func names() throws(FileError) -> [[UInt8]] {
        let names = try nameList()
        return names.starts.map(names.name)
    }

    private func nameList() throws(FileError) -> NameList {
        let size = 32 << 10
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        defer { buffer.deallocate() }
        var names = NameList()
        while true {
            let count = cshims_getdents(rawDescriptor, buffer, size)
            guard count >= 0 else { throw FileError("list", place, negated: count) }
            if count == 0 { break }
            var offset = 0
            while offset < count {
                let record = cshims_dirent_at(buffer + offset)
                names.add(record.name, type: record.type)
                offset += Int(record.record_length)
            }
        }
        names.sort()
        return names
    }

    /// The target of the symlink at `path`.
    /// - Throws: ``FileError`` when it is none.
    public func readLink(_ path: ContainerPath) throws(FileError) -> [UInt8] {
        let flags = CInt(CSHIMS_O_PATH) | O_NOFOLLOW | O_CLOEXEC
        let link = OwnedDescriptor(owning: try open(path, flags, .beneath), path: display(path))
        // A target is at most PATH_MAX long, see symlink(7).
        let capacity = 4096
        let target = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            count = buffer.withMemoryRebound(to: CChar.self) { buffer in
                guard let start = buffer.baseAddress else { return 0 }
                return max(readlinkat(link.raw, "", start, capacity), 0)
            }
        }
        guard !target.isEmpty else { throw FileError("read the symlink", display(path), negated: -Int(errno)) }
        return target
    }
}

/// A directory's names in one piece of memory: a listing of many files is made once, and its names are short.
private struct NameList {
    private var bytes: [UInt8] = []
    /// Where each name begins; its type is the byte before it, and it ends with a zero.
    private(set) var starts: [Int] = []

    mutating func add(_ name: UnsafePointer<CChar>, type: UInt8) {
        let length = strlen(name)
        let dot = CChar(bitPattern: UInt8(ascii: "."))
        if name[0] == dot, length == 1 || length == 2 && name[1] == dot { return }
        bytes.append(type)
        starts.append(bytes.count)
        bytes.append(contentsOf: UnsafeRawBufferPointer(start: name, count: length + 1))
    }

    /// Puts the names in byte order.
    mutating func sort() {
        bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            let first = base.assumingMemoryBound(to: CChar.self)
            // strcmp(3) compares as unsigned bytes, and no name holds a zero.
            starts.sort { strcmp(first + $0, first + $1) < 0 }
        }
    }

    func withName<Value>(at start: Int, _ body: (UnsafePointer<CChar>) throws -> Value) rethrows -> Value {
        try bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return try body("") }
            return try body((base + start).assumingMemoryBound(to: CChar.self))
        }
    }

    func kind(at start: Int) -> FileKind? { FileKind(directoryType: bytes[start - 1]) }

    func name(at start: Int) -> [UInt8] {
        withName(at: start) { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
    }
}
