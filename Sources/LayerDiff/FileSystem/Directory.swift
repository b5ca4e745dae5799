import CShims
import Glibc
import SystemPackage

/// An open directory, beneath which paths are resolved by the kernel without ever leaving it.
///
/// Paths are taken relative to the descriptor with openat2(2), so that neither a symlink nor a rename by somebody else
/// leads out of the tree.
public final class Directory: Sendable {
    /// The descriptor, valid as long as this object lives.
    public let rawDescriptor: CInt
    /// Where the directory is, for messages.
    let place: String

    /// Opens the directory at `path`, following symlinks.
    /// - Throws: ``FileError`` when there is none or it may not be read.
    public init(path: String) throws(FileError) {
        let descriptor = path.withCString { Glibc.open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw FileError("open the directory", path, negated: -Int(errno)) }
        rawDescriptor = descriptor
        place = path
    }

    /// Takes over the directory's descriptor `raw`; `place` stands in messages.
    public init(owning raw: CInt, place: String) {
        rawDescriptor = raw
        self.place = place
    }

    deinit {
        close(rawDescriptor)
    }

    /// The descriptor as System has it; not to be closed, and valid as long as this object lives.
    public var descriptor: FileDescriptor { FileDescriptor(rawValue: rawDescriptor) }

    /// Tells the file system that what the subdirectories hold has nothing to do with each other, where it can be told.
    ///
    /// ext4 then puts each subdirectory where much is free, and not beside its siblings. That matters most without a
    /// journal: there, an inode that was deleted in the last minutes is not used again, and who makes a file passes
    /// over each of them. After some thousand deletions that takes a millisecond a file.
    public func spreadSubdirectories() {
        _ = cshims_mark_top_directory(rawDescriptor)
    }

    /// Opens the file at `path` for reading; no component may be a symlink.
    /// - Throws: ``FileError`` when there is none or it may not be read.
    public func openFile(_ path: ContainerPath) throws(FileError) -> OwnedDescriptor {
        // Without O_NONBLOCK, opening a fifo would wait for its other end.
        let flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK
        return OwnedDescriptor(owning: try open(path, flags, .beneath), path: display(path))
    }

    /// Opens the file at `path` for reading; symlinks are followed as if this directory were the root.
    /// - Throws: ``FileError`` when there is none or it may not be read.
    public func openFileInRoot(_ path: ContainerPath) throws(FileError) -> OwnedDescriptor {
        let flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK
        return OwnedDescriptor(owning: try open(path, flags, .inRoot), path: display(path))
    }

    /// Opens the directory at `path`; no component may be a symlink.
    /// - Throws: ``FileError`` when there is none.
    public func directory(_ path: ContainerPath) throws(FileError) -> Directory {
        Directory(owning: try open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, .beneath), place: display(path))
    }

    /// How a path is resolved.
    enum Resolution {
        /// No symlink anywhere, never out of the directory.
        case beneath
        /// Symlinks are followed as if the directory were the root.
        case inRoot

        var flags: UInt64 {
            switch self {
            case .beneath:
                UInt64(
                    CSHIMS_RESOLVE_BENEATH | CSHIMS_RESOLVE_NO_SYMLINKS
                        | CSHIMS_RESOLVE_NO_MAGICLINKS
                )
            case .inRoot:
                UInt64(CSHIMS_RESOLVE_IN_ROOT | CSHIMS_RESOLVE_NO_MAGICLINKS)
            }
        }
    }

    /// Opens `path` with `flags`: a descriptor that the caller owns.
    func open(_ path: ContainerPath, _ flags: CInt, _ resolution: Resolution) throws(FileError) -> CInt {
        let result = tryOpen(path, flags, resolution)
        guard result >= 0 else { throw FileError("open", display(path), negated: Int(result)) }
        return result
    }

    /// Opens `path` with `flags`: a descriptor that the caller owns, or a negated errno.
    func tryOpen(_ path: ContainerPath, _ flags: CInt, _ resolution: Resolution) -> CInt {
        let flags = UInt64(UInt32(bitPattern: flags))
        return withCString(path.isRoot ? [UInt8(ascii: ".")] : path.bytes) {
            cshims_openat2(rawDescriptor, $0, flags, 0, resolution.flags)
        }
    }

    /// The path as messages name it.
    func display(_ path: ContainerPath) -> String {
        path.isRoot ? place : (place.hasSuffix("/") ? String(place.dropLast()) : place) + path.description
    }
}

/// Calls `body` with `bytes` as a C string.
func withCString<Value>(_ bytes: some Collection<UInt8>, _ body: (UnsafePointer<CChar>) -> Value) -> Value {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { buffer in
        var position = 0
        for byte in bytes {
            buffer[position] = CChar(bitPattern: byte)
            position += 1
        }
        buffer[position] = 0
        guard let start = buffer.baseAddress else { return body("") }
        return body(UnsafePointer(start))
    }
}
