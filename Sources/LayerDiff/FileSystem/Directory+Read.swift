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
                names.add(record.name)
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
    /// Where each name begins; it ends with a zero.
    private(set) var starts: [Int] = []

    mutating func add(_ name: UnsafePointer<CChar>) {
        let length = strlen(name)
        let dot = CChar(bitPattern: UInt8(ascii: "."))
        if name[0] == dot, length == 1 || length == 2 && name[1] == dot { return }
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

    func withName<Value>(at start: Int, _ body: (UnsafePointer<CChar>) -> Value) -> Value {
        bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return body("") }
            return body((base + start).assumingMemoryBound(to: CChar.self))
        }
    }

    func name(at start: Int) -> [UInt8] {
        withName(at: start) { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
    }
}
